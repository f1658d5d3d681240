import Foundation
import Mailbox
import Synchronization
import Testing

@testable import StoreSrv

@Suite("Threads that may wait")
struct BlockingPoolTests {
    @Test("Calls run beside each other, on threads of their own, with their answers and errors")
    func calls() async throws {
        let pool = try BlockingPool(threadCount: 4, queueMaximum: 1_000)
        defer { pool.close(waiting: true) }
        let total = try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 0..<500 {
                group.addTask { try await pool.run { () throws(StoreError) in number } }
            }
            return try await group.reduce(0, +)
        }
        #expect(total == 499 * 250)
        await #expect(throws: StoreError.self) {
            try await pool.run { () throws(StoreError) -> Void in throw .closed() }
        }
    }

    @Test("A full queue refuses; tasks that live on the pool go on")
    func full() async throws {
        let pool = try BlockingPool(threadCount: 1, queueMaximum: 2)
        defer { pool.close(waiting: true) }
        let gate = DispatchSemaphore(value: 0)
        let (begun, continuation) = AsyncStream.makeStream(of: Void.self)
        let blocked = Task {
            try await pool.run { () throws(StoreError) in
                continuation.yield()
                gate.wait()
            }
        }
        for await _ in begun { break }
        let (codes, answers) = AsyncStream.makeStream(of: StoreError.Code?.self)
        for _ in 0..<10 {
            Task {
                do throws(StoreError) {
                    try await pool.run { () throws(StoreError) in }
                    answers.yield(nil)
                } catch {
                    answers.yield(error.code)
                }
            }
        }
        let resident = Task(executorPreference: pool) { 7 }
        // Of ten calls two find a place; the others hear so at once. The resident task may have
        // taken a place before them.
        var heard = 0
        for await code in codes {
            heard += 1
            if heard <= 8 { #expect(code == .overloaded) }
            if heard == 8 { gate.signal() }
            if heard == 10 { break }
        }
        try await blocked.value
        #expect(await resident.value == 7)
    }

    @Test("A closed pool refuses, and still ends the tasks that lived on it")
    func closed() async throws {
        let pool = try BlockingPool(threadCount: 2, queueMaximum: 10)
        pool.close(waiting: true)
        await #expect(throws: StoreError.self) { try await pool.run { () throws(StoreError) in } }
        #expect(await Task(executorPreference: pool) { 3 }.value == 3)
    }

    /// Threads that nobody joined kept their stacks, for as long as the process lived.
    @Test("A pool that is closed without waiting keeps no stacks")
    func stacks() async throws {
        let before = try Self.mappedBytes()
        for _ in 0..<300 {
            weak var pool: BlockingPool?
            do {
                let closing = try BlockingPool(threadCount: 4, queueMaximum: 1)
                closing.close(waiting: false)
                pool = closing
            }
            // Its threads hold it until they end.
            while pool != nil { await Task.yield() }
        }
        // A stack has 8 MiB of address space.
        #expect(try Self.mappedBytes() - before < 600 * 8 << 20)
    }

    private static func mappedBytes() throws -> Int {
        let text = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
        return (Int(text.prefix { $0 != " " }) ?? 0) * Int(getpagesize())
    }
}
