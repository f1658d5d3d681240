/// The chat page's files, compiled into the program.
enum WebPage {
    struct File: Sendable {
        let type: String
        let bytes: [UInt8]
    }

    private static let script = "text/javascript; charset=utf-8"

    private static let files: [String: File] = [
        "/": File(type: "text/html; charset=utf-8", bytes: PackageResources.index_html),
        "/chat.css": File(type: "text/css; charset=utf-8", bytes: PackageResources.chat_css),
        "/chat.js": File(type: script, bytes: PackageResources.chat_js),
        "/client.js": File(type: script, bytes: PackageResources.client_js),
        "/store.js": File(type: script, bytes: PackageResources.store_js),
        "/tabs.js": File(type: script, bytes: PackageResources.tabs_js),
        "/view.js": File(type: script, bytes: PackageResources.view_js),
        "/worker.js": File(type: script, bytes: PackageResources.worker_js),
    ]

    /// The file at a path, nil when there is none.
    static func file(_ path: String, isDemo: Bool) -> File? {
        if path == "/demo.js" {
            // What the page asks to know whether it can get tokens by itself.
            return File(
                type: script, bytes: Array("export const isDemo = \(isDemo);\n".utf8))
        }
        return files[path]
    }
}
