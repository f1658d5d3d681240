@main
struct Mailboxd {
    static func main() {}
}
