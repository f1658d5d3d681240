import CoreMetrics
import Testing

@testable import MetricsText

@Suite("Prometheus's text format")
struct MetricsTextTests {
    /// The page's lines, but for the count of dropped series.
    private static func lines(_ factory: MetricsTextFactory) -> [Substring] {
        factory.render().split(separator: "\n").filter { !$0.contains("metrics_series_dropped") }
    }

    @Test("Counters and gauges, with help, kind and labels")
    func values() {
        let factory = MetricsTextFactory(help: ["calls_total": "Calls.\nAll of them \\o/"])
        let counter = Counter(label: "calls_total", dimensions: [("code", "ok")], factory: factory)
        counter.increment(by: 3)
        Counter(label: "calls_total", dimensions: [("code", "ok")], factory: factory).increment()
        Counter(
            label: "calls_total", dimensions: [("code", "a\"b\\c\nd"), ("at", "1")],
            factory: factory
        ).increment(by: -5)
        let meter = Meter(label: "tail.bytes", factory: factory)
        meter.set(2.5)
        meter.increment(by: 1)
        Meter(label: "whole", factory: factory).set(1_099_511_627_776)
        #expect(
            Self.lines(factory) == [
                #"# HELP calls_total Calls.\nAll of them \\o/"#,
                "# TYPE calls_total counter",
                #"calls_total{at="1",code="a\"b\\c\nd"} 0"#,
                #"calls_total{code="ok"} 4"#,
                "# TYPE tail_bytes gauge",
                "tail_bytes 3.5",
                "# TYPE whole gauge",
                "whole 1099511627776",
            ])
        // A series stays when its maker goes.
        counter.destroy()
        #expect(Self.lines(factory).contains(#"calls_total{code="ok"} 4"#))
    }

    @Test("Histograms count up to each bound, and all")
    func histograms() {
        let factory = MetricsTextFactory()
        let sizes = Recorder(label: "sizes", factory: factory)
        for size in [0, 1, 2, 3, 1 << 24, 1 << 30] { sizes.record(size) }
        let lines = Self.lines(factory)
        #expect(lines.contains(#"sizes_bucket{le="1"} 2"#))
        #expect(lines.contains(#"sizes_bucket{le="2"} 3"#))
        #expect(lines.contains(#"sizes_bucket{le="4"} 4"#))
        #expect(lines.contains(#"sizes_bucket{le="16777216"} 5"#))
        #expect(lines.contains(#"sizes_bucket{le="+Inf"} 6"#))
        #expect(lines.contains("sizes_count 6"))
        #expect(lines.contains("sizes_sum 1090519046"))

        let timer = Timer(label: "took_seconds", dimensions: [("a", "b")], factory: factory)
        timer.recordNanoseconds(8_000)
        timer.recordMilliseconds(1)
        let times = Self.lines(factory)
        #expect(times.contains(#"took_seconds_bucket{a="b",le="8e-06"} 1"#))
        #expect(times.contains(#"took_seconds_bucket{a="b",le="0.000512"} 1"#))
        #expect(times.contains(#"took_seconds_bucket{a="b",le="0.001024"} 2"#))
        #expect(times.contains(#"took_seconds_count{a="b"} 2"#))
        #expect(times.contains(#"took_seconds_sum{a="b"} 0.001008"#))
    }

    @Test("The number of series is bounded, and a name has one kind")
    func bounds() {
        let factory = MetricsTextFactory(seriesMaximum: 3)
        for place in 0..<10 {
            Counter(label: "c", dimensions: [("place", "\(place)")], factory: factory).increment()
        }
        Meter(label: "c", factory: factory).set(1)
        #expect(Self.lines(factory).count == 4)
        #expect(factory.render().contains("metrics_series_dropped_total 8\n"))
    }

    @Test("Every line is a comment, or a name with labels and a number")
    func grammar() throws {
        let factory = MetricsTextFactory()
        Counter(label: "9 odd-name", dimensions: [("a b", "ü {}"), ("c", "")], factory: factory)
            .increment()
        FloatingPointCounter(label: "parts", factory: factory).increment(by: 0.25)
        Timer(label: "t", factory: factory).recordSeconds(100)
        let meter = Meter(label: "m", factory: factory)
        let sample = #/[a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-zA-Z_][a-zA-Z0-9_]*="[^"]*",?)*\})? \S+/#
        for value in [Double.infinity, -.infinity, .nan, 1e300, -0.5] {
            meter.set(value)
            for line in factory.render().split(separator: "\n") where !line.hasPrefix("# ") {
                #expect(line.wholeMatch(of: sample) != nil, "\(line)")
            }
        }
    }
}
