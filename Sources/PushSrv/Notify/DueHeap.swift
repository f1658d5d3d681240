/// What is due, the earliest first: a binary heap.
struct DueHeap: Sendable {
    struct Element: Sendable {
        let due: ContinuousClock.Instant
        /// Tells a device's places apart.
        let turn: UInt64
        let key: DeviceKey
    }

    private var elements: [Element] = []

    /// The earliest, nil when there is none.
    var first: Element? { elements.first }

    mutating func insert(_ element: Element) {
        elements.append(element)
        var place = elements.count - 1
        while place > 0 {
            let parent = (place - 1) / 2
            guard elements[place].due < elements[parent].due else { return }
            elements.swapAt(place, parent)
            place = parent
        }
    }

    /// Precondition: there is one.
    mutating func removeFirst() {
        elements.swapAt(0, elements.count - 1)
        elements.removeLast()
        var place = 0
        while true {
            var least = place
            for child in [2 * place + 1, 2 * place + 2]
            where child < elements.count && elements[child].due < elements[least].due {
                least = child
            }
            guard least != place else { return }
            elements.swapAt(place, least)
            place = least
        }
    }
}
