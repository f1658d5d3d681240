import Mailbox

/// One message of a trace.
struct TraceRecord: Equatable {
    var mailbox: MailboxID
    /// When it was sent, in milliseconds since 1970.
    var timeMilliseconds: Int64
    var body: ArraySlice<UInt8>
}

/// What is wrong with one line of a trace. The line's content is not repeated: it is a message.
struct TraceLineError: Error, Equatable {
    let reason: String
}

extension TraceRecord {
    private static let expectation =
        "expected 4 columns, separated by tabs: sender, receiver, unix seconds, body"
    /// The year 10889: the largest time that a store keeps.
    private static let maximumSeconds: Int64 = ((1 << 48) - 1) / 1_000

    /// Takes a line apart. The body is everything behind the third tab, tabs included.
    ///
    /// - Parameter bodyBytesMaximum: the largest body that the store takes.
    init(line: ArraySlice<UInt8>, bodyBytesMaximum: Int) throws(TraceLineError) {
        var columns: [ArraySlice<UInt8>] = []
        var rest = line
        while columns.count < 3, let tab = rest.firstIndex(of: UInt8(ascii: "\t")) {
            columns.append(rest[rest.startIndex..<tab])
            rest = rest[(tab + 1)...]
        }
        guard columns.count == 3 else {
            let found = line.isEmpty ? "it is empty" : "it has \(columns.count + 1)"
            throw TraceLineError(reason: "\(found); \(Self.expectation)")
        }
        mailbox = MailboxID(
            sender: try Self.address(columns[0], "sender"),
            receiver: try Self.address(columns[1], "receiver"))
        timeMilliseconds = try Self.milliseconds(columns[2])
        guard rest.count <= bodyBytesMaximum else {
            let error = StoreError.messageTooLarge(bytes: rest.count, limit: bodyBytesMaximum)
            throw TraceLineError(reason: error.message)
        }
        body = rest
    }

    private static func address(
        _ bytes: ArraySlice<UInt8>, _ column: String
    ) throws(TraceLineError) -> Address {
        do {
            return try Address(utf8: bytes.span)
        } catch {
            throw TraceLineError(reason: "\(column): \(error.message)")
        }
    }

    private static func milliseconds(_ digits: ArraySlice<UInt8>) throws(TraceLineError) -> Int64 {
        var seconds: Int64 = 0
        var isNumber = !digits.isEmpty && digits.count <= 15
        for digit in digits where isNumber {
            isNumber = (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit)
            seconds = seconds * 10 + Int64(digit) - Int64(UInt8(ascii: "0"))
        }
        guard isNumber, seconds <= maximumSeconds else {
            throw TraceLineError(
                reason: "unix seconds: expected a whole number from 0 to \(maximumSeconds)")
        }
        return seconds * 1_000
    }
}
