import Foundation
import Hummingbird
import Mailbox
import NIOCore
import StoreAPI

/// The operator's page, beside the metrics: what is going on, and who has what waiting.
///
/// The page itself holds nothing and is given to everybody; what it asks for is not. Nothing here
/// acknowledges, or changes anything.
struct OperatorPage: Sendable {
    /// The most mailboxes or messages of one answer.
    static let pageMaximum = 200
    private static let pageStandard = 50

    let access: OperatorAccess
    /// Where heads and messages are read.
    let receiver: any MessageReceiving
    /// Whether texts of messages are shown.
    let showsBodies: Bool

    func addRoutes(to router: Router<BasicRequestContext>) {
        for (path, file) in Self.files {
            router.get(RouterPath(path)) { _, _ in Self.answer(.ok, file.type, file.bytes) }
        }
        router.get("operator/about") { request, _ in
            await answer(request) {
                OperatorAnswers.About(
                    version: Version.text, epoch: "\(try await receiver.epoch)",
                    bodies: showsBodies)
            }
        }
        router.get("operator/inbox") { request, _ in
            await answer(request) { try await inbox(request.uri.queryParameters) }
        }
        router.get("operator/messages") { request, _ in
            await answer(request) { try await messages(request.uri.queryParameters) }
        }
    }

    // MARK: What is asked for

    private func inbox(_ query: Parameters) async throws -> OperatorAnswers.Inbox {
        let receiver = try Self.address("receiver", query)
        let after = query["after"] == nil ? nil : try Self.address("after", query)
        let page = try await self.receiver.inbox(
            receiver, after: after, limit: try Self.limit(query))
        return OperatorAnswers.Inbox(
            receiver: receiver.description, mailboxes: page.entries.map { .init($0) },
            next: page.next?.description)
    }

    private func messages(_ query: Parameters) async throws -> OperatorAnswers.Messages {
        let mailbox = MailboxID(
            sender: try Self.address("sender", query),
            receiver: try Self.address("receiver", query))
        let after = try Self.number("after", 0...Int(UInt32.max), standard: 0, query)
        let head = try await receiver.head(mailbox)
        let page = try await receiver.read(
            mailbox, after: max(UInt32(after), head.floor), through: nil,
            limit: PageLimit(messages: try Self.limit(query), bytes: 1 << 20))
        return OperatorAnswers.Messages(
            sender: mailbox.sender.description, receiver: mailbox.receiver.description,
            messages: page.messages.map { .init($0, showsBody: showsBodies) },
            next: page.hasMore ? page.messages.lastSequence : nil)
    }

    private static func address(_ name: String, _ query: Parameters) throws -> Address {
        guard let text = query.get(name) else {
            throw StoreError.invalidArgument("\(name) is missing")
        }
        return try Address(text)
    }

    private static func limit(_ query: Parameters) throws -> Int {
        try number("limit", 1...pageMaximum, standard: pageStandard, query)
    }

    private static func number(
        _ name: String, _ range: ClosedRange<Int>, standard: Int, _ query: Parameters
    ) throws -> Int {
        guard let text = query.get(name) else { return standard }
        guard let value = Int(text), range.contains(value) else {
            throw StoreError.invalidArgument(
                "\(name) must be \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    // MARK: Answers

    private func answer<Content: Encodable>(
        _ request: Request, _ content: () async throws -> Content
    ) async -> Response {
        guard
            access.allows(
                authorization: request.headers[.authorization], host: request.head.authority)
        else { return Self.refused(.unauthorized, "this needs the operator's token") }
        do {
            return try Self.json(.ok, try await content())
        } catch let error as StoreError {
            return Self.refused(Self.status(of: error), error.message)
        } catch {
            return Self.refused(.internalServerError, "the answer could not be made")
        }
    }

    private static func status(of error: StoreError) -> HTTPResponse.Status {
        switch error.code {
        case .invalidArgument: .badRequest
        // Removed between the look at the head and the read: asking again helps.
        case .trimmed: .conflict
        case .overloaded, .unavailable, .closed: .serviceUnavailable
        default: .internalServerError
        }
    }

    private static func refused(_ status: HTTPResponse.Status, _ words: String) -> Response {
        (try? json(status, OperatorAnswers.Refused(error: words))) ?? Response(status: status)
    }

    private static func json(
        _ status: HTTPResponse.Status, _ content: some Encodable
    ) throws -> Response {
        answer(status, "application/json", Array(try JSONEncoder().encode(content)))
    }

    private static func answer(
        _ status: HTTPResponse.Status, _ type: String, _ bytes: [UInt8]
    ) -> Response {
        let headers: HTTPFields = [
            .contentType: type, .cacheControl: "no-store",
            .contentSecurityPolicy:
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; "
                + "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
            .xContentTypeOptions: "nosniff",
        ]
        return Response(
            status: status, headers: headers,
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    // MARK: Files

    private static let files: [(path: String, file: (type: String, bytes: [UInt8]))] = [
        ("operator", ("text/html; charset=utf-8", PackageResources.operator_html)),
        ("operator/page.css", ("text/css; charset=utf-8", PackageResources.operator_css)),
        (
            "operator/page.js",
            ("text/javascript; charset=utf-8", PackageResources.operator_js)
        ),
        (
            "operator/charts.js",
            ("text/javascript; charset=utf-8", PackageResources.charts_js)
        ),
        (
            "operator/metrics.js",
            ("text/javascript; charset=utf-8", PackageResources.metrics_js)
        ),
    ]
}
