internal import SwiftProtobuf

/// The files of the contract, as protoc describes them. `make proto` writes them.
struct ContractFiles: Sendable {
    private struct File: Sendable {
        var bytes: [UInt8]
        var dependencies: [String]
    }

    private var files: [String: File] = [:]
    /// Which file a service, a method, a message or an enum is in, by its full name.
    private var places: [String: String] = [:]

    /// Those that are compiled into the program. A test holds them to the generated code.
    static let shared = (try? ContractFiles(PackageResources.contract_binpb)) ?? ContractFiles([:])

    private init(_ files: [String: File]) { self.files = files }

    /// - Parameter bytes: a `google.protobuf.FileDescriptorSet`.
    /// - Throws: when they are none.
    init(_ bytes: [UInt8]) throws {
        for file in try Google_Protobuf_FileDescriptorSet(serializedBytes: bytes).file {
            files[file.name] = File(
                bytes: try file.serializedBytes(), dependencies: file.dependency)
            for service in file.service {
                let name = "\(file.package).\(service.name)"
                places[name] = file.name
                for method in service.method { places["\(name).\(method.name)"] = file.name }
            }
            for kind in file.enumType { places["\(file.package).\(kind.name)"] = file.name }
            for message in file.messageType { place(message, in: file.package, of: file.name) }
        }
    }

    private mutating func place(
        _ message: Google_Protobuf_DescriptorProto, in scope: String, of file: String
    ) {
        let name = "\(scope).\(message.name)"
        places[name] = file
        for kind in message.enumType { places["\(name).\(kind.name)"] = file }
        for inner in message.nestedType { place(inner, in: name, of: file) }
    }

    /// The name of the file that says what a name is; nil when none does.
    func file(of symbol: String) -> String? { places[symbol] }

    /// A file, and all that it builds upon behind it; nil when there is no such file.
    func files(from name: String) -> [[UInt8]]? {
        guard files[name] != nil else { return nil }
        var found: [[UInt8]] = []
        var seen: Set<String> = [name]
        var next = [name]
        while let file = next.popLast().flatMap({ files[$0] }) {
            found.append(file.bytes)
            next += file.dependencies.filter { seen.insert($0).inserted }
        }
        return found
    }
}
