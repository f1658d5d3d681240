/// What stands behind the command: `--name value`, in any order.
struct Options {
    private var values: [String: String] = [:]

    init(_ words: ArraySlice<String>) throws(Failure) {
        var words = words
        while let name = words.popFirst() {
            guard name.hasPrefix("--"), let value = words.popFirst() else {
                throw Failure("\(name): every option is --name and a value")
            }
            values[String(name.dropFirst(2))] = value
        }
    }

    func text(_ name: String) throws(Failure) -> String {
        guard let value = values[name] else { throw Failure("--\(name) is missing") }
        return value
    }

    func text(_ name: String, else fallback: String) -> String { values[name] ?? fallback }

    func number(_ name: String, else fallback: Int) throws(Failure) -> Int {
        guard let value = values[name] else { return fallback }
        guard let number = Int(value) else { throw Failure("--\(name) is no number: \(value)") }
        return number
    }
}
