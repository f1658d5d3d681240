import Glibc

/// The few things that this tool does with files; every failure is the tool's own.
enum Files {
    static func read(_ path: String) throws(Failure) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("open", path) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failure("look at", path) }
        let count = Int(status.st_size)
        var got = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while got < count {
                let part = pread(descriptor, buffer.baseAddress! + got, count - got, off_t(got))
                if part <= 0 { break }
                got += part
            }
            filled = got
        }
        guard got == count else { throw failure("read", path) }
        return bytes
    }

    /// Makes the file be these bytes, in place when it is there.
    static func replace(_ path: String, _ bytes: UnsafeRawBufferPointer) throws(Failure) {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure("open", path) }
        defer { close(descriptor) }
        var done = 0
        while done < bytes.count {
            let part = pwrite(
                descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(done))
            guard part > 0 else { throw failure("write", path) }
            done += part
        }
        guard ftruncate(descriptor, off_t(bytes.count)) == 0 else {
            throw failure("shorten", path)
        }
    }

    static func replace(_ path: String, _ bytes: [UInt8]) throws(Failure) {
        let outcome = bytes.withUnsafeBytes { bytes in
            Result { () throws(Failure) in try replace(path, bytes) }
        }
        try outcome.get()
    }

    static func makeDirectory(_ path: String) throws(Failure) {
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw failure("make", path) }
    }

    /// What a directory has; nothing when it is missing.
    static func list(_ path: String) throws(Failure) -> [(name: String, isDirectory: Bool)] {
        guard let handle = opendir(path) else {
            if errno == ENOENT { return [] }
            throw failure("list", path)
        }
        defer { closedir(handle) }
        var entries: [(String, Bool)] = []
        while let entry = readdir(handle) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." {
                entries.append((name, Int32(entry.pointee.d_type) == Int32(DT_DIR)))
            }
        }
        return entries
    }

    /// Removes a file, or a directory with all below it; nothing happens when it is missing.
    static func remove(_ path: String) throws(Failure) {
        if unlink(path) == 0 || errno == ENOENT { return }
        for entry in try list(path) { try remove("\(path)/\(entry.name)") }
        guard rmdir(path) == 0 else { throw failure("remove", path) }
    }

    /// Copies a directory with all below it, to a place where nothing is.
    static func copy(_ from: String, to: String) throws(Failure) {
        try makeDirectory(to)
        for entry in try list(from) {
            let (source, target) = ("\(from)/\(entry.name)", "\(to)/\(entry.name)")
            if entry.isDirectory {
                try copy(source, to: target)
            } else {
                try replace(target, try read(source))
            }
        }
    }

    /// The nodes of a directory as it is, all durable.
    static func load(_ path: String) throws(Failure) -> Node {
        let directory = Node(isDirectory: true)
        for entry in try list(path) {
            let node: Node
            if entry.isDirectory {
                node = try load("\(path)/\(entry.name)")
            } else {
                node = Node(isDirectory: false)
                node.durable = try read("\(path)/\(entry.name)")
                node.byteCount = node.durable.count
            }
            directory.names[entry.name] = node
            directory.durableNames[entry.name] = node
        }
        return directory
    }

    private static func failure(_ doing: String, _ path: String) -> Failure {
        Failure("cannot \(doing) \(path): \(String(cString: strerror(errno)))")
    }
}
