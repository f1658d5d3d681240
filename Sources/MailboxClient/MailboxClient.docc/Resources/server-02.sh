for name in anna bert; do
    curl -s -H 'X-Mailbox-Demo: 1' -d $name http://127.0.0.1:7190/demo/token >$name.token
done
