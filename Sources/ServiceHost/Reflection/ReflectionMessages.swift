internal import GRPCCore

/// What a tool asks: `ServerReflectionRequest`.
///
/// Read and written by hand, as are the answers: ten fields, in a service that no client of ours
/// calls, against a thousand generated lines.
struct ReflectionRequest: Sendable {
    enum Question: Sendable {
        case services
        case file(String)
        case symbol(String)
        case anExtension(of: String)
        case extensions(of: String)
        case none
    }

    private(set) var host = ""
    private(set) var question = Question.none
    /// As it came: the answer repeats it.
    let bytes: [UInt8]

    /// - Throws: `RPCError` when the bytes are no such message.
    init(_ bytes: [UInt8]) throws {
        self.bytes = bytes
        var reader = FieldReader(bytes[...])
        // Of several questions, which one message cannot have, the last one counts.
        while let (number, value) = try reader.next() {
            switch number {
            case 1: host = try value.text
            case 3: question = .file(try value.text)
            case 4: question = .symbol(try value.text)
            case 5: question = .anExtension(of: try Self.extended(try value.message))
            case 6: question = .extensions(of: try value.text)
            case 7:
                _ = try value.text
                question = .services
            default: continue
            }
        }
    }

    private static func extended(_ bytes: ArraySlice<UInt8>) throws -> String {
        var reader = FieldReader(bytes)
        var name = ""
        while let (number, value) = try reader.next() {
            if number == 1 { name = try value.text }
        }
        return name
    }
}

/// What it hears: `ServerReflectionResponse`.
struct ReflectionAnswer: Sendable {
    enum Outcome: Sendable {
        /// Files, each as a serialized `FileDescriptorProto`.
        case files([[UInt8]])
        case services([String])
        case noExtensions(String)
        /// There is no such thing.
        case unknown(String)
        case refused(String)
    }

    let bytes: [UInt8]

    init(to request: ReflectionRequest, _ outcome: Outcome) {
        var writer = FieldWriter()
        if !request.host.isEmpty { writer.field(1, request.host.utf8) }
        writer.field(2, request.bytes)
        var inner = FieldWriter()
        switch outcome {
        case .files(let files):
            for file in files { inner.field(1, file) }
            writer.field(4, inner.bytes)
        case .noExtensions(let name):
            inner.field(1, name.utf8)
            writer.field(5, inner.bytes)
        case .services(let names):
            for name in names {
                var service = FieldWriter()
                service.field(1, name.utf8)
                inner.field(1, service.bytes)
            }
            writer.field(6, inner.bytes)
        case .unknown(let what):
            inner.field(1, varint: UInt64(RPCError.Code.notFound.rawValue))
            inner.field(2, "there is no \(what) here".utf8)
            writer.field(7, inner.bytes)
        case .refused(let why):
            inner.field(1, varint: UInt64(RPCError.Code.invalidArgument.rawValue))
            inner.field(2, why.utf8)
            writer.field(7, inner.bytes)
        }
        bytes = writer.bytes
    }
}

struct ReflectionRequestDeserializer: MessageDeserializer {
    func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) throws -> ReflectionRequest {
        try ReflectionRequest(bytes.withUnsafeBytes { Array($0) })
    }
}

struct ReflectionAnswerSerializer: MessageSerializer {
    func serialize<Bytes: GRPCContiguousBytes>(_ answer: ReflectionAnswer) throws -> Bytes {
        Bytes(answer.bytes)
    }
}

/// The fields of a protobuf message, one after the other; believes nothing.
private struct FieldReader {
    enum Value {
        case bytes(ArraySlice<UInt8>)
        /// A number: no field here is one.
        case number

        var message: ArraySlice<UInt8> {
            get throws {
                guard case .bytes(let bytes) = self else { throw malformed }
                return bytes
            }
        }

        var text: String {
            get throws {
                guard let text = String(validating: try message, as: UTF8.self) else {
                    throw malformed
                }
                return text
            }
        }
    }

    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    /// The next field; nil behind the last.
    mutating func next() throws -> (number: UInt64, value: Value)? {
        guard !rest.isEmpty else { return nil }
        let tag = try varint()
        guard tag >> 3 > 0 else { throw malformed }
        switch tag & 7 {
        case 0:
            _ = try varint()
            return (tag >> 3, .number)
        case 1:
            _ = try take(8)
            return (tag >> 3, .number)
        case 2: return (tag >> 3, .bytes(try take(try varint())))
        case 5:
            _ = try take(4)
            return (tag >> 3, .number)
        default: throw malformed
        }
    }

    private mutating func varint() throws -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte = rest.popFirst() else { throw malformed }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        throw malformed
    }

    private mutating func take(_ count: UInt64) throws -> ArraySlice<UInt8> {
        guard count <= UInt64(rest.count) else { throw malformed }
        defer { rest = rest.dropFirst(Int(count)) }
        return rest.prefix(Int(count))
    }
}

private var malformed: RPCError {
    RPCError(code: .invalidArgument, message: "the request is malformed")
}

/// Writes the fields of a protobuf message.
private struct FieldWriter {
    private(set) var bytes: [UInt8] = []

    mutating func field(_ number: UInt64, _ value: some Collection<UInt8>) {
        varint(number << 3 | 2)
        varint(UInt64(value.count))
        bytes += value
    }

    mutating func field(_ number: UInt64, varint value: UInt64) {
        varint(number << 3)
        varint(value)
    }

    private mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }
}
