/// The keys of the operator's page.
enum OperatorSettings {
    static let all: [Setting] = [
        Setting(
            "operator.token", .path, "",
            "the file with the token that the operator's page (/operator, beside the metrics) asks "
                + "for; empty: no such page, but with tokens.demo, on loopback, without a token"),
        Setting(
            "operator.bodies", .boolean, "false",
            "show texts of messages on the operator's page"),
    ]
}

extension SettingValues {
    /// What does not fit together in the keys of the operator's page.
    ///
    /// - Throws: `Failure` with what is wrong.
    func checkOperator() throws {
        if optional("operator.token") != nil, !flag("metrics.enabled") {
            throw Failure.configuration([
                "operator.token needs metrics.enabled: the page is beside the metrics"
            ])
        }
        _ = try OperatorAccess(self)
    }
}
