internal import Foundation
internal import Mailbox
internal import NIOCore
internal import NIOHTTP1

/// Answers plain HTTP: the chat page, its parts, whether the server is there, a demonstration's
/// tokens; and says why a WebSocket was not opened. One request a connection.
final class PageHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private static let bodyBytesMaximum = 4_096

    private let core: ConnectCore
    /// What every request is refused with, when it is.
    private let refusal: HTTPResponseStatus?
    private var head: HTTPRequestHead?
    private var body = ByteBuffer()
    private var isAnswered = false

    /// - Parameter head: the request's, when it is known already.
    init(core: ConnectCore, refusal: HTTPResponseStatus?, head: HTTPRequestHead?) {
        self.core = core
        self.refusal = refusal
        self.head = head
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isAnswered else { return }
        switch unwrapInboundIn(data) {
        case .head(let head): self.head = head
        case .body(var part):
            guard body.readableBytes + part.readableBytes <= Self.bodyBytesMaximum else {
                return answer(context, Answer(.payloadTooLarge))
            }
            body.writeBuffer(&part)
        case .end:
            guard let head else { return }
            answer(context, respond(to: head))
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    // MARK: Answers

    struct Answer {
        var status: HTTPResponseStatus
        var type = "text/plain; charset=utf-8"
        var bytes: [UInt8]
        var headers: [(String, String)] = []

        init(_ status: HTTPResponseStatus, headers: [(String, String)] = []) {
            self.status = status
            bytes = Array("\(status.code) \(status.reasonPhrase)\n".utf8)
            self.headers = headers
        }

        init(type: String, _ bytes: [UInt8]) {
            status = .ok
            self.type = type
            self.bytes = bytes
        }
    }

    private func respond(to head: HTTPRequestHead) -> Answer {
        if let refusal { return Answer(refusal, headers: [("Retry-After", "5")]) }
        switch (head.method, head.path) {
        case (_, ChannelSetup.path[...]): return notUpgraded(head)
        case (.GET, "/health"), (.HEAD, "/health"): return Answer(.ok)
        case (.POST, "/demo/token"): return demoToken(head)
        case (.GET, let path):
            guard core.configuration.servesPage,
                let file = WebPage.file(String(path), isDemo: core.demo != nil)
            else { return Answer(.notFound) }
            return Answer(type: file.type, file.bytes)
        default: return Answer(.notFound)
        }
    }

    private func notUpgraded(_ head: HTTPRequestHead) -> Answer {
        let isUpgrade = head.headers[canonicalForm: "Upgrade"]
            .contains { $0.lowercased() == "websocket" }
        guard isUpgrade, head.headers.first(name: "Sec-WebSocket-Version") == "13" else {
            return Answer(
                .upgradeRequired,
                headers: [("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")])
        }
        return Answer(.badRequest)
    }

    /// A token for a name. Only for pages of this server itself: a page of another origin cannot
    /// set the header without asking first, and is not answered when it asks; and a name that was
    /// made to point here is none of ours.
    private func demoToken(_ head: HTTPRequestHead) -> Answer {
        guard let demo = core.demo, core.configuration.endpoint.isLoopback else {
            return Answer(.notFound)
        }
        guard head.headers.first(name: "X-Mailbox-Demo") != nil,
            Self.isLoopback(host: head.headers.first(name: "Host") ?? "")
        else { return Answer(.forbidden) }
        guard let name = String(validating: body.readableBytesView, as: UTF8.self),
            let account = try? Address(name), let token = try? demo.mint(account)
        else { return Answer(.badRequest) }
        return Answer(type: "text/plain; charset=utf-8", Array(token.utf8))
    }

    private static func isLoopback(host: String) -> Bool {
        let isBracketed = host.hasPrefix("[")
        let end: Character = isBracketed ? "]" : ":"
        let name = host.dropFirst(isBracketed ? 1 : 0).prefix { $0 != end }
        return name == "localhost" || name == "::1"
            || (name.hasPrefix("127.") && name.allSatisfy { $0.isNumber || $0 == "." })
    }

    private func answer(_ context: ChannelHandlerContext, _ answer: Answer) {
        isAnswered = true
        var headers = HTTPHeaders(answer.headers)
        headers.add(name: "Content-Type", value: answer.type)
        headers.add(name: "Content-Length", value: "\(answer.bytes.count)")
        headers.add(name: "Connection", value: "close")
        headers.add(name: "Cache-Control", value: "no-store")
        headers.add(name: "X-Content-Type-Options", value: "nosniff")
        headers.add(name: "Referrer-Policy", value: "no-referrer")
        headers.add(
            name: "Content-Security-Policy",
            value: "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; "
                + "connect-src 'self'; worker-src 'self'; frame-ancestors 'none'; "
                + "base-uri 'none'; form-action 'none'")
        headers.add(name: "Cross-Origin-Opener-Policy", value: "same-origin")
        headers.add(name: "Cross-Origin-Resource-Policy", value: "same-origin")
        context.write(
            wrapOutboundOut(
                .head(.init(version: .http1_1, status: answer.status, headers: headers))),
            promise: nil)
        if head?.method != .HEAD {
            context.write(
                wrapOutboundOut(
                    .body(.byteBuffer(context.channel.allocator.buffer(bytes: answer.bytes)))),
                promise: nil)
        }
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { _ in context.close(promise: nil) }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: written)
    }
}
