/// Keys that protect nothing: they are public, and only these tests know them.
enum TestKeys {
    /// A certificate for `localhost` and 127.0.0.1, valid until 2126, signed by itself.
    static let certificate = """
        -----BEGIN CERTIFICATE-----
        MIIBnDCCAUGgAwIBAgIUEBwqCooqVbbhq4RrKS6hTlpgeE0wCgYIKoZIzj0EAwIw
        FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNzAxMjc1NFoYDzIxMjYxMTAz
        MDEyNzU0WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
        PQMBBwNCAATK5Wr0GPKtSAdz3QJ+aTPvWnSiZQKOvsm/0IXPOSPSLVm/mYJjCObe
        EO7jfoWDkdspBIh5QlxabFKZZvtz2HnGo28wbTAdBgNVHQ4EFgQU7I5GSRDxcy2l
        vTV4Q3Cx0kGbIB4wHwYDVR0jBBgwFoAU7I5GSRDxcy2lvTV4Q3Cx0kGbIB4wDwYD
        VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
        zj0EAwIDSQAwRgIhAMPkxTt2h6hUsd2dWYUGNX5hDOtfqtckrAAgJCJJJ479AiEA
        /KRTOfMyZ+KnHFZi9MvVw/asBWU51C6izsNZQRerGM8=
        -----END CERTIFICATE-----
        """

    /// The certificate's key; ES256 signs with it, too.
    static let key = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg+LO6OCqNbPCsDBXS
        DHbLhNbaQdB4aFjX1ZjqRtRZkyShRANCAATK5Wr0GPKtSAdz3QJ+aTPvWnSiZQKO
        vsm/0IXPOSPSLVm/mYJjCObeEO7jfoWDkdspBIh5QlxabFKZZvtz2HnG
        -----END PRIVATE KEY-----
        """

    /// A key for RS256.
    static let rsa = """
        -----BEGIN PRIVATE KEY-----
        MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDbIuCx4+BgJ3hL
        C30TUUK2Giywc46fZQ8urpjegUD+Ui6yyAupC/yOu/XoqhbBmvawSsbjjsoE1LSo
        5/3hXiQNnMu/bNY1blGPmYw7OBOKuskdf/IvZK8+WtUxn/aKrrRSghdYiLZkkiZ2
        jCv6HOPYYNrzjSABHgtXmYGktY4hgvFCO9UILHcec4vvMdfyKkQ1SGnh5M/azPnQ
        N32WGi3sK9+V6Kaia21UjTZYqFNl6iH22bfU6V34vvQ9dWmHNFh3FIHmRBCL9jQ6
        pdlxZ+dEhQOSh9s8W6EPRD6+gSng4wYRHhLOzxClMF95XLi9LHDNRFcyLPLLaMTl
        jNGLpKhPAgMBAAECggEAS0dIfCPFlRKKCvGn5mZwbeFA/966nHwZgpZdEnbBjnxJ
        6YW6J7jj6l6cg/BGP/0NiJMvjsWjFZTCeRG1D+IIrZpzDdAEKDe9EgEUANXrNKmk
        5BrrZieG4ftPKKyEg7CvZnalMXdJfPQN/YR6qQGard7b6HXPDEM3b0DfHed2q4DO
        wUrKDrpixxUX4PuqLL5TQrK5OAVQjFPdOkCkne3Kox77JqB4CS7CNz9G5FBGnk70
        BIq1lk9aYMqsrLfpfLIMRZDj+blZK+KjDTT7PWtHtRxf6nXKUETieGdDotxNHLt7
        4E1+PX1+xRvIdfPmqZh6sqk+FqpgFBpJQ1IZ+bQafQKBgQDxMhFeW6IYCOgpRS8h
        xumjmDNBLbSjTTtyD+Tn/iMD+iAVZ6JHuGnSfS46liO1nFEfIRPfhXlUbkXt+E6O
        ILyAQx86YbJeTh/oglcr8O1TSRHEtbwR743ebWhh81I4Pzs5m3e5nFxR6zQ4SPHJ
        O7tnOZY7VVzO3wXHLg8qVVOFdQKBgQDoljBrAGKIgNNBhzza7TZnpRURqGhRPWGp
        4rLOjjulCX3aut6knzuzQTHlYXn09M53yQ65wxND46p6JxpheVZ8+955dTEhLfuD
        fZZcYH35/gfLoBteWBk6AcgTmatUwG9/9U03eggJel0m+GxLB84JgFmkfcZnbWRH
        C/1s29CKMwKBgGLVmGZo+CAPLksTDYAyyTR/Pql7uCSeljhkKPGjoueTTChZQhdP
        ixV0tEfPlCxsNJWj8UfLou8lDMS51j7JTVTlrFs5A2U/cDXPizb3T9ir/Xr02W8k
        EadOf9J7aXqg9nzhpwrI9s+eqNRTl7hVILLo1xXTIeenXe/DgPVg54utAoGBALD8
        SI/D1TbmQNtmW4qEY5fu6N9s9SSMvtqVpVbEqOJnHJvrAyzl9nnrLFrOGA2sk8hW
        +Jums+w/PCSDyPFPcd7dkmd+JAqJgRCH6nkU/AfVpHzwsqLSCzA21tcDYnq1jKMk
        OMP0WlVMBcJ324AkykY0owImq2lctqfRmeDSTBg9AoGAPK9ZWWtqtvQ657eJws9M
        qvjaWasG5lhbllNIaYl+p00HbWEKZ8mOtaXUOQlFM/6WqrpvPe0LUymi8G0xUgJ3
        Qfe5fGgXEpSARKEG8fMgQ2U/To4RWona0/LHDyXxEz+XGQZtQtzITQlXv0YMvmP7
        YMXz7kBCTrcbH+sZAykqLRk=
        -----END PRIVATE KEY-----
        """
}
