public import CoreMetrics
internal import Synchronization

/// A backend of swift-metrics that keeps every series in memory and writes them in Prometheus's
/// text format, version 0.0.4.
///
/// ```swift
/// let metrics = MetricsTextFactory(help: ["store_appends_total": "Appends that were answered."])
/// MetricsSystem.bootstrap(metrics)
/// let page = metrics.render()  // for `GET /metrics`
/// ```
/// Two makers of the same label and dimensions share one series. The number of series is bounded:
/// what comes above the bound is counted as dropped and kept nowhere, so a label that follows user
/// input cannot fill the memory.
public final class MetricsTextFactory: MetricsFactory {
    /// What the page is called by over HTTP.
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    private let state: Mutex<State>
    private let help: [String: String]
    private let seriesMaximum: Int
    private let dropped = Atomic<Int>(0)

    private struct State {
        var families: [String: Family] = [:]
        var count = 0
    }

    /// A name with all its series.
    private struct Family {
        let kind: Kind
        var series: [Dimensions: any Series] = [:]
    }

    /// - Parameters:
    ///   - seriesMaximum: at most this many series, over all names.
    ///   - help: a line for each name that has one.
    public init(seriesMaximum: Int = 4_096, help: [String: String] = [:]) {
        self.seriesMaximum = seriesMaximum
        self.help = help
        state = Mutex(State())
    }

    // MARK: MetricsFactory

    /// A count that only grows.
    public func makeCounter(
        label: String, dimensions: [(String, String)]
    ) -> any CounterHandler {
        find(label, dimensions, .counter) { CounterSeries() } ?? CounterSeries()
    }

    /// A count that only grows, of parts.
    public func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        find(label, dimensions, .counter) { FloatingCounterSeries() } ?? FloatingCounterSeries()
    }

    /// A value that goes up and down.
    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        find(label, dimensions, .gauge) { GaugeSeries() } ?? GaugeSeries()
    }

    /// A histogram of sizes (powers of two), or with `aggregate: false` the last value alone.
    public func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        guard aggregate else {
            return find(label, dimensions, .gauge) { GaugeSeries() } ?? GaugeSeries()
        }
        return find(label, dimensions, .histogram) { HistogramSeries(.sizes) }
            ?? HistogramSeries(.sizes)
    }

    /// A histogram of times, in seconds.
    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        find(label, dimensions, .histogram) { HistogramSeries(.seconds) }
            ?? HistogramSeries(.seconds)
    }

    // A series stays when its maker goes: a counter that began anew at 0 would look like a restart.

    /// Keeps the series.
    public func destroyCounter(_ handler: any CounterHandler) {}
    /// Keeps the series.
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {}
    /// Keeps the series.
    public func destroyMeter(_ handler: any MeterHandler) {}
    /// Keeps the series.
    public func destroyRecorder(_ handler: any RecorderHandler) {}
    /// Keeps the series.
    public func destroyTimer(_ handler: any TimerHandler) {}

    /// - Returns: nil when there are too many series, or the name is one of another kind.
    private func find<Found: Series>(
        _ label: String, _ dimensions: [(String, String)], _ kind: Kind, make: () -> Found
    ) -> Found? {
        let name = MetricName.sanitized(label)
        let dimensions = Dimensions(dimensions)
        let found = state.withLock { state -> Found? in
            let family = state.families[name] ?? Family(kind: kind)
            guard family.kind == kind else { return nil }
            if let series = family.series[dimensions] { return series as? Found }
            guard state.count < seriesMaximum else { return nil }
            let series = make()
            state.families[name, default: family].series[dimensions] = series
            state.count += 1
            return series
        }
        if found == nil { dropped.wrappingAdd(1, ordering: .relaxed) }
        return found
    }

    // MARK: Rendering

    /// All series, sorted by name and dimensions.
    public func render() -> String {
        let families = state.withLock { $0.families }
        var page = ""
        for (name, family) in families.sorted(by: { $0.key < $1.key }) {
            Self.writeHeading(name, help[name], family.kind, to: &page)
            for (dimensions, series) in family.series.sorted(by: { $0.key < $1.key }) {
                series.write(name, dimensions, to: &page)
            }
        }
        let name = "metrics_series_dropped_total"
        Self.writeHeading(
            name, "Series that were not kept: too many, or a name of two kinds.", .counter,
            to: &page)
        page += "\(name) \(dropped.load(ordering: .relaxed))\n"
        return page
    }

    private static func writeHeading(
        _ name: String, _ help: String?, _ kind: Kind, to page: inout String
    ) {
        if let help { page += "# HELP \(name) \(MetricName.escaped(help, quotes: false))\n" }
        page += "# TYPE \(name) \(kind.rawValue)\n"
    }
}

/// The kinds of the text format that are written here.
enum Kind: String, Sendable {
    case counter
    case gauge
    case histogram
}
