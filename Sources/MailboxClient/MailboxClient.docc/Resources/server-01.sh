swift build -c release --product mailboxd
.build/release/mailboxd all --directory data --tokens-demo true
