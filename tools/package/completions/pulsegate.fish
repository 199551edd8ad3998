# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_pulsegate_global_optspecs
    string join \n c/config= v/verbose q/quiet log-level= log-format= connections= input-budget= output-budget= offline-budget= topics= connections-per-address= accept-rate= accept-rate-per-address= login-rate= login-rate-per-address= login-rate-per-user= takeover-rate-per-user= coalesce= user-policy= login-users-file= login-keys-file= login-issuer= login-audience= black-lists= white-lists= admin-bind= admin-token-file= admin-hosts= drain-over= drain-timeout= user= group= hardening= hang-warn= hang-abort= name= bind= framing= dialect= login= login-check= allow= slow-consumer= idle-timeout= login-timeout= frame-timeout= lifetime= write-timeout= output-age= ping-after= ack-timeout= ack-attempts= offline-ttl= offline-max= frame-max= login-frame-max= outbox-low= outbox-soft= outbox-soft-for= outbox-max= bad-requests-max= failed-logins-max= login-delay= linger= reconnect= message-rate= byte-rate= rate-interval= rate-strikes= trusted-proxies= proxy-timeout= backlog= keepalive= user-timeout= send-buffer= receive-buffer= unsent-max= h/help V/version
end

function __fish_pulsegate_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_pulsegate_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_pulsegate_using_subcommand
    set -l cmd (__fish_pulsegate_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c pulsegate -n "__fish_pulsegate_needs_command" -s c -l config -d 'the configuration file' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l log-level -d 'the least important lines shown: error, warn, info, debug, trace [default: info]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l log-format -d 'how a line looks: text, json [default: text]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l connections -d 'connections, all listeners together, one more is refused; auto: what descriptors allow [default: auto]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l input-budget -d 'bytes of half frames; over it the oldest half frame\'s connection is closed [default: 64MiB]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l output-budget -d 'bytes of waiting output; over it the largest outbox\'s connection is closed [default: 256MiB]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l offline-budget -d 'bytes of unacknowledged messages; over it the one parked longest is dropped [default: 64MiB]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l topics -d 'topics at most, all together; one more is refused [default: 100000]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l connections-per-address -d 'connections of one address, or of 64 bits of IPv6; one more is refused [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l accept-rate -d 'newcomers, all listeners together; those above it wait in the backlog [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l accept-rate-per-address -d 'newcomers of one address; one more is refused [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l login-rate -d 'logins tried, all together; one more is refused [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l login-rate-per-address -d 'logins tried from one address; one more is refused [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l login-rate-per-user -d 'logins tried under one name; one more is refused [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l takeover-rate-per-user -d 'logins that replace a connection of their user; one more waits, each twice as long [default: 300/1h]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l coalesce -d 'a latency budget: with little ready the loop rests so long between turns [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l user-policy -d 'a user\'s second login: replace, reject, { devices = N } [default: replace]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l login-users-file -d 'the file of users with the SHA-256 of their tokens, where login_check is users' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l login-keys-file -d 'the JWK Set that signed tokens are judged by, where login_check is jwt' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l login-issuer -d 'the iss that a signed token must have' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l login-audience -d 'the aud that a signed token must have' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l black-lists -d 'files of networks and users that are kept out, one a line [default: none]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l white-lists -d 'files of those that are let in although a wider entry keeps them out [default: none]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l admin-bind -d 'where it listens: an address, unix:PATH, off [default: 127.0.0.1:7374]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l admin-token-file -d 'the file that holds its token; PULSEGATE_ADMIN_TOKEN holds the token itself' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l admin-hosts -d 'further names under which it is reached, beside localhost and its address [default: none]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l drain-over -d 'the goodbyes at SIGTERM are spread over so long [default: 0s]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l drain-timeout -d 'whoever is left so long after the last of the goodbyes is cut [default: 10s]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l user -d 'whom it runs as once everything is bound, where it is started as root' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l group -d 'the group instead of that of the user' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l hardening -d 'files and system calls that it has no use for: on (refused), log (calls are told), off [default: on]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l hang-warn -d 'told of in the log when a turn of the loop takes so long, while it does [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l hang-abort -d 'the process is aborted when a turn takes so long, with what is known [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l name -d 'the name in logs and metrics [default: clients]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l bind -d 'where the only listener listens: ADDR:PORT, several with commas [default: 127.0.0.1:7373]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l framing -d 'how bytes become frames: raw, line, lenhdr, binary, or a table with options [default: line]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l dialect -d 'what a frame means: gate, echo, sink [default: gate]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l login -d 'whether clients log in: none, optional, required [default: optional]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l login-check -d 'how the token of a login is checked: none, users, jwt [default: none]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l allow -d 'what clients may do: send, pub, join, data [default: send, pub, join, data]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l slow-consumer -d 'what becomes of who does not read: close, drop-newest [default: close]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l idle-timeout -d 'closed when no byte came from the client for so long [default: 60s]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l login-timeout -d 'closed when not logged in by then, where a login is required [default: 5s]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l frame-timeout -d 'closed when a frame is not whole so long after its first byte [default: 10s]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l lifetime -d 'closed so long after accept, whatever it sends [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l write-timeout -d 'closed when output waits and the socket took none for so long [default: 10s]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l output-age -d 'closed when a byte has waited in the outbox for so long [default: 30s]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l ping-after -d 'the server sends ping after so much silence [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l ack-timeout -d 'a message without ack is sent again after so long [default: 10s]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l ack-attempts -d 'how often it is sent in all; then it is parked [default: 5]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l offline-ttl -d 'how long a parked message and an absent user are kept [default: 60s]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l offline-max -d 'parked messages per user; one more is refused [default: 32]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l frame-max -d 'bytes of a frame\'s body; closed where one is longer [default: 64KiB]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l login-frame-max -d 'the same before a login that is required [default: 4KiB]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l outbox-low -d 'bytes waiting above which the connection is not read [default: 16KiB]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l outbox-soft -d 'bytes waiting above which, for outbox-soft-for, it is a slow consumer [default: 64KiB]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l outbox-soft-for -d 'how long it may be above outbox-soft [default: 10s]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l outbox-max -d 'bytes waiting above which it is a slow consumer at once [default: 256KiB]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l bad-requests-max -d 'closed at so many bad requests [default: 16]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l failed-logins-max -d 'closed at so many failed logins [default: 3]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l login-delay -d 'a failed login is answered so long after it failed [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l linger -d 'how long a client has to read its goodbye [default: 1s]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l reconnect -d 'when a client that is told "overloaded" should come back [default: 1s]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l message-rate -d 'frames in a rate-interval; above it is not read until that is over [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l byte-rate -d 'the same for bytes [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l rate-interval -d 'how long such an interval is [default: 1s]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l rate-strikes -d 'closed when held back in so many intervals in a row [default: 10]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l trusted-proxies -d 'networks of proxies: each must send a PROXY header, nobody else may connect [default: none]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l proxy-timeout -d 'closed when the PROXY header is not whole so long after accept [default: 3s]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l backlog -d 'newcomers the kernel keeps until they are accepted [default: 4096]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l keepalive -d 'TCP keepalive after so much silence, in whole seconds [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l user-timeout -d 'how long sent bytes may stay unacknowledged by the peer\'s kernel [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l send-buffer -d 'bytes of the kernel\'s send buffer, or auto [default: auto]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l receive-buffer -d 'bytes of the kernel\'s receive buffer, or auto [default: auto]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -l unsent-max -d 'bytes that the kernel takes before it has sent them, or auto [default: 128KiB]' -r
complete -c pulsegate -n "__fish_pulsegate_needs_command" -s v -l verbose -d 'log more: -v debug, -vv trace'
complete -c pulsegate -n "__fish_pulsegate_needs_command" -s q -l quiet -d 'log less: -q warnings, -qq errors'
complete -c pulsegate -n "__fish_pulsegate_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pulsegate -n "__fish_pulsegate_needs_command" -s V -l version -d 'Print version'
complete -c pulsegate -n "__fish_pulsegate_needs_command" -f -a "serve" -d 'Run the daemon (also without a command)'
complete -c pulsegate -n "__fish_pulsegate_needs_command" -f -a "check" -d 'Judge a configuration file and the files it names; binds nothing'
complete -c pulsegate -n "__fish_pulsegate_needs_command" -f -a "config" -d 'Print what is in force, as a configuration file'
complete -c pulsegate -n "__fish_pulsegate_needs_command" -f -a "status" -d 'Tell how a running daemon is'
complete -c pulsegate -n "__fish_pulsegate_needs_command" -f -a "users" -d 'List who is online, or one user\'s connections'
complete -c pulsegate -n "__fish_pulsegate_needs_command" -f -a "why" -d 'Tell why a user\'s latest connections ended'
complete -c pulsegate -n "__fish_pulsegate_needs_command" -f -a "push" -d 'Send a message to a user, a topic or everyone'
complete -c pulsegate -n "__fish_pulsegate_needs_command" -f -a "kick" -d 'End the connections of a user'
complete -c pulsegate -n "__fish_pulsegate_needs_command" -f -a "ban" -d 'Let a user or a network in no more; list and remove bans'
complete -c pulsegate -n "__fish_pulsegate_needs_command" -f -a "drain" -d 'Shut the daemon down in good order, as SIGTERM does'
complete -c pulsegate -n "__fish_pulsegate_needs_command" -f -a "reload" -d 'Have the daemon read its configuration again, as SIGHUP does'
complete -c pulsegate -n "__fish_pulsegate_needs_command" -f -a "tap" -d 'Show a user\'s frames, both ways, for a while'
complete -c pulsegate -n "__fish_pulsegate_needs_command" -f -a "top" -d 'Watch the busiest connections; one page where stdout is no terminal'
complete -c pulsegate -n "__fish_pulsegate_needs_command" -f -a "connect" -d 'Speak to a gate as a client, by hand or by a script'
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -s c -l config -d 'the configuration file' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l log-level -d 'the least important lines shown: error, warn, info, debug, trace [default: info]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l log-format -d 'how a line looks: text, json [default: text]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l connections -d 'connections, all listeners together, one more is refused; auto: what descriptors allow [default: auto]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l input-budget -d 'bytes of half frames; over it the oldest half frame\'s connection is closed [default: 64MiB]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l output-budget -d 'bytes of waiting output; over it the largest outbox\'s connection is closed [default: 256MiB]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l offline-budget -d 'bytes of unacknowledged messages; over it the one parked longest is dropped [default: 64MiB]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l topics -d 'topics at most, all together; one more is refused [default: 100000]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l connections-per-address -d 'connections of one address, or of 64 bits of IPv6; one more is refused [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l accept-rate -d 'newcomers, all listeners together; those above it wait in the backlog [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l accept-rate-per-address -d 'newcomers of one address; one more is refused [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l login-rate -d 'logins tried, all together; one more is refused [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l login-rate-per-address -d 'logins tried from one address; one more is refused [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l login-rate-per-user -d 'logins tried under one name; one more is refused [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l takeover-rate-per-user -d 'logins that replace a connection of their user; one more waits, each twice as long [default: 300/1h]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l coalesce -d 'a latency budget: with little ready the loop rests so long between turns [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l user-policy -d 'a user\'s second login: replace, reject, { devices = N } [default: replace]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l login-users-file -d 'the file of users with the SHA-256 of their tokens, where login_check is users' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l login-keys-file -d 'the JWK Set that signed tokens are judged by, where login_check is jwt' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l login-issuer -d 'the iss that a signed token must have' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l login-audience -d 'the aud that a signed token must have' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l black-lists -d 'files of networks and users that are kept out, one a line [default: none]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l white-lists -d 'files of those that are let in although a wider entry keeps them out [default: none]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l admin-bind -d 'where it listens: an address, unix:PATH, off [default: 127.0.0.1:7374]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l admin-token-file -d 'the file that holds its token; PULSEGATE_ADMIN_TOKEN holds the token itself' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l admin-hosts -d 'further names under which it is reached, beside localhost and its address [default: none]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l drain-over -d 'the goodbyes at SIGTERM are spread over so long [default: 0s]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l drain-timeout -d 'whoever is left so long after the last of the goodbyes is cut [default: 10s]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l user -d 'whom it runs as once everything is bound, where it is started as root' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l group -d 'the group instead of that of the user' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l hardening -d 'files and system calls that it has no use for: on (refused), log (calls are told), off [default: on]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l hang-warn -d 'told of in the log when a turn of the loop takes so long, while it does [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l hang-abort -d 'the process is aborted when a turn takes so long, with what is known [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l name -d 'the name in logs and metrics [default: clients]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l bind -d 'where the only listener listens: ADDR:PORT, several with commas [default: 127.0.0.1:7373]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l framing -d 'how bytes become frames: raw, line, lenhdr, binary, or a table with options [default: line]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l dialect -d 'what a frame means: gate, echo, sink [default: gate]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l login -d 'whether clients log in: none, optional, required [default: optional]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l login-check -d 'how the token of a login is checked: none, users, jwt [default: none]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l allow -d 'what clients may do: send, pub, join, data [default: send, pub, join, data]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l slow-consumer -d 'what becomes of who does not read: close, drop-newest [default: close]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l idle-timeout -d 'closed when no byte came from the client for so long [default: 60s]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l login-timeout -d 'closed when not logged in by then, where a login is required [default: 5s]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l frame-timeout -d 'closed when a frame is not whole so long after its first byte [default: 10s]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l lifetime -d 'closed so long after accept, whatever it sends [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l write-timeout -d 'closed when output waits and the socket took none for so long [default: 10s]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l output-age -d 'closed when a byte has waited in the outbox for so long [default: 30s]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l ping-after -d 'the server sends ping after so much silence [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l ack-timeout -d 'a message without ack is sent again after so long [default: 10s]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l ack-attempts -d 'how often it is sent in all; then it is parked [default: 5]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l offline-ttl -d 'how long a parked message and an absent user are kept [default: 60s]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l offline-max -d 'parked messages per user; one more is refused [default: 32]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l frame-max -d 'bytes of a frame\'s body; closed where one is longer [default: 64KiB]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l login-frame-max -d 'the same before a login that is required [default: 4KiB]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l outbox-low -d 'bytes waiting above which the connection is not read [default: 16KiB]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l outbox-soft -d 'bytes waiting above which, for outbox-soft-for, it is a slow consumer [default: 64KiB]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l outbox-soft-for -d 'how long it may be above outbox-soft [default: 10s]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l outbox-max -d 'bytes waiting above which it is a slow consumer at once [default: 256KiB]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l bad-requests-max -d 'closed at so many bad requests [default: 16]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l failed-logins-max -d 'closed at so many failed logins [default: 3]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l login-delay -d 'a failed login is answered so long after it failed [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l linger -d 'how long a client has to read its goodbye [default: 1s]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l reconnect -d 'when a client that is told "overloaded" should come back [default: 1s]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l message-rate -d 'frames in a rate-interval; above it is not read until that is over [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l byte-rate -d 'the same for bytes [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l rate-interval -d 'how long such an interval is [default: 1s]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l rate-strikes -d 'closed when held back in so many intervals in a row [default: 10]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l trusted-proxies -d 'networks of proxies: each must send a PROXY header, nobody else may connect [default: none]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l proxy-timeout -d 'closed when the PROXY header is not whole so long after accept [default: 3s]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l backlog -d 'newcomers the kernel keeps until they are accepted [default: 4096]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l keepalive -d 'TCP keepalive after so much silence, in whole seconds [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l user-timeout -d 'how long sent bytes may stay unacknowledged by the peer\'s kernel [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l send-buffer -d 'bytes of the kernel\'s send buffer, or auto [default: auto]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l receive-buffer -d 'bytes of the kernel\'s receive buffer, or auto [default: auto]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -l unsent-max -d 'bytes that the kernel takes before it has sent them, or auto [default: 128KiB]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -s v -l verbose -d 'log more: -v debug, -vv trace'
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -s q -l quiet -d 'log less: -q warnings, -qq errors'
complete -c pulsegate -n "__fish_pulsegate_using_subcommand serve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pulsegate -n "__fish_pulsegate_using_subcommand check" -l against -d 'ask the daemon whose admin interface is there what it would change' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand check" -l token-file -d 'the file that holds the token; also PULSEGATE_ADMIN_TOKEN_FILE, or the token itself in PULSEGATE_ADMIN_TOKEN' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand check" -l json -d 'print what the daemon answers, as JSON'
complete -c pulsegate -n "__fish_pulsegate_using_subcommand check" -s h -l help -d 'Print help'
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -s c -l config -d 'the configuration file' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l log-level -d 'the least important lines shown: error, warn, info, debug, trace [default: info]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l log-format -d 'how a line looks: text, json [default: text]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l connections -d 'connections, all listeners together, one more is refused; auto: what descriptors allow [default: auto]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l input-budget -d 'bytes of half frames; over it the oldest half frame\'s connection is closed [default: 64MiB]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l output-budget -d 'bytes of waiting output; over it the largest outbox\'s connection is closed [default: 256MiB]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l offline-budget -d 'bytes of unacknowledged messages; over it the one parked longest is dropped [default: 64MiB]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l topics -d 'topics at most, all together; one more is refused [default: 100000]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l connections-per-address -d 'connections of one address, or of 64 bits of IPv6; one more is refused [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l accept-rate -d 'newcomers, all listeners together; those above it wait in the backlog [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l accept-rate-per-address -d 'newcomers of one address; one more is refused [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l login-rate -d 'logins tried, all together; one more is refused [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l login-rate-per-address -d 'logins tried from one address; one more is refused [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l login-rate-per-user -d 'logins tried under one name; one more is refused [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l takeover-rate-per-user -d 'logins that replace a connection of their user; one more waits, each twice as long [default: 300/1h]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l coalesce -d 'a latency budget: with little ready the loop rests so long between turns [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l user-policy -d 'a user\'s second login: replace, reject, { devices = N } [default: replace]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l login-users-file -d 'the file of users with the SHA-256 of their tokens, where login_check is users' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l login-keys-file -d 'the JWK Set that signed tokens are judged by, where login_check is jwt' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l login-issuer -d 'the iss that a signed token must have' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l login-audience -d 'the aud that a signed token must have' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l black-lists -d 'files of networks and users that are kept out, one a line [default: none]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l white-lists -d 'files of those that are let in although a wider entry keeps them out [default: none]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l admin-bind -d 'where it listens: an address, unix:PATH, off [default: 127.0.0.1:7374]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l admin-token-file -d 'the file that holds its token; PULSEGATE_ADMIN_TOKEN holds the token itself' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l admin-hosts -d 'further names under which it is reached, beside localhost and its address [default: none]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l drain-over -d 'the goodbyes at SIGTERM are spread over so long [default: 0s]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l drain-timeout -d 'whoever is left so long after the last of the goodbyes is cut [default: 10s]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l user -d 'whom it runs as once everything is bound, where it is started as root' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l group -d 'the group instead of that of the user' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l hardening -d 'files and system calls that it has no use for: on (refused), log (calls are told), off [default: on]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l hang-warn -d 'told of in the log when a turn of the loop takes so long, while it does [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l hang-abort -d 'the process is aborted when a turn takes so long, with what is known [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l name -d 'the name in logs and metrics [default: clients]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l bind -d 'where the only listener listens: ADDR:PORT, several with commas [default: 127.0.0.1:7373]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l framing -d 'how bytes become frames: raw, line, lenhdr, binary, or a table with options [default: line]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l dialect -d 'what a frame means: gate, echo, sink [default: gate]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l login -d 'whether clients log in: none, optional, required [default: optional]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l login-check -d 'how the token of a login is checked: none, users, jwt [default: none]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l allow -d 'what clients may do: send, pub, join, data [default: send, pub, join, data]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l slow-consumer -d 'what becomes of who does not read: close, drop-newest [default: close]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l idle-timeout -d 'closed when no byte came from the client for so long [default: 60s]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l login-timeout -d 'closed when not logged in by then, where a login is required [default: 5s]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l frame-timeout -d 'closed when a frame is not whole so long after its first byte [default: 10s]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l lifetime -d 'closed so long after accept, whatever it sends [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l write-timeout -d 'closed when output waits and the socket took none for so long [default: 10s]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l output-age -d 'closed when a byte has waited in the outbox for so long [default: 30s]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l ping-after -d 'the server sends ping after so much silence [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l ack-timeout -d 'a message without ack is sent again after so long [default: 10s]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l ack-attempts -d 'how often it is sent in all; then it is parked [default: 5]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l offline-ttl -d 'how long a parked message and an absent user are kept [default: 60s]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l offline-max -d 'parked messages per user; one more is refused [default: 32]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l frame-max -d 'bytes of a frame\'s body; closed where one is longer [default: 64KiB]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l login-frame-max -d 'the same before a login that is required [default: 4KiB]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l outbox-low -d 'bytes waiting above which the connection is not read [default: 16KiB]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l outbox-soft -d 'bytes waiting above which, for outbox-soft-for, it is a slow consumer [default: 64KiB]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l outbox-soft-for -d 'how long it may be above outbox-soft [default: 10s]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l outbox-max -d 'bytes waiting above which it is a slow consumer at once [default: 256KiB]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l bad-requests-max -d 'closed at so many bad requests [default: 16]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l failed-logins-max -d 'closed at so many failed logins [default: 3]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l login-delay -d 'a failed login is answered so long after it failed [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l linger -d 'how long a client has to read its goodbye [default: 1s]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l reconnect -d 'when a client that is told "overloaded" should come back [default: 1s]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l message-rate -d 'frames in a rate-interval; above it is not read until that is over [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l byte-rate -d 'the same for bytes [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l rate-interval -d 'how long such an interval is [default: 1s]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l rate-strikes -d 'closed when held back in so many intervals in a row [default: 10]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l trusted-proxies -d 'networks of proxies: each must send a PROXY header, nobody else may connect [default: none]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l proxy-timeout -d 'closed when the PROXY header is not whole so long after accept [default: 3s]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l backlog -d 'newcomers the kernel keeps until they are accepted [default: 4096]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l keepalive -d 'TCP keepalive after so much silence, in whole seconds [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l user-timeout -d 'how long sent bytes may stay unacknowledged by the peer\'s kernel [default: off]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l send-buffer -d 'bytes of the kernel\'s send buffer, or auto [default: auto]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l receive-buffer -d 'bytes of the kernel\'s receive buffer, or auto [default: auto]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -l unsent-max -d 'bytes that the kernel takes before it has sent them, or auto [default: 128KiB]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -s v -l verbose -d 'log more: -v debug, -vv trace'
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -s q -l quiet -d 'log less: -q warnings, -qq errors'
complete -c pulsegate -n "__fish_pulsegate_using_subcommand config" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pulsegate -n "__fish_pulsegate_using_subcommand status" -l admin -d 'the daemon\'s admin interface, http://HOST:PORT or unix:/PATH; also PULSEGATE_ADMIN [default: http://127.0.0.1:7374]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand status" -l token-file -d 'the file that holds the token; also PULSEGATE_ADMIN_TOKEN_FILE, or the token itself in PULSEGATE_ADMIN_TOKEN' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand status" -l json -d 'print what the daemon answers, as JSON'
complete -c pulsegate -n "__fish_pulsegate_using_subcommand status" -s h -l help -d 'Print help'
complete -c pulsegate -n "__fish_pulsegate_using_subcommand users" -l limit -d 'users at most' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand users" -l after -d 'those that come behind this one' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand users" -l admin -d 'the daemon\'s admin interface, http://HOST:PORT or unix:/PATH; also PULSEGATE_ADMIN [default: http://127.0.0.1:7374]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand users" -l token-file -d 'the file that holds the token; also PULSEGATE_ADMIN_TOKEN_FILE, or the token itself in PULSEGATE_ADMIN_TOKEN' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand users" -l json -d 'print what the daemon answers, as JSON'
complete -c pulsegate -n "__fish_pulsegate_using_subcommand users" -s h -l help -d 'Print help'
complete -c pulsegate -n "__fish_pulsegate_using_subcommand why" -l limit -d 'records at most' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand why" -l admin -d 'the daemon\'s admin interface, http://HOST:PORT or unix:/PATH; also PULSEGATE_ADMIN [default: http://127.0.0.1:7374]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand why" -l token-file -d 'the file that holds the token; also PULSEGATE_ADMIN_TOKEN_FILE, or the token itself in PULSEGATE_ADMIN_TOKEN' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand why" -l json -d 'print what the daemon answers, as JSON'
complete -c pulsegate -n "__fish_pulsegate_using_subcommand why" -s h -l help -d 'Print help'
complete -c pulsegate -n "__fish_pulsegate_using_subcommand push" -l user -d 'to this user' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand push" -l topic -d 'to the members of this topic' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand push" -l ttl -d 'it is of use for so long' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand push" -l admin -d 'the daemon\'s admin interface, http://HOST:PORT or unix:/PATH; also PULSEGATE_ADMIN [default: http://127.0.0.1:7374]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand push" -l token-file -d 'the file that holds the token; also PULSEGATE_ADMIN_TOKEN_FILE, or the token itself in PULSEGATE_ADMIN_TOKEN' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand push" -l everyone -d 'to everyone who is here'
complete -c pulsegate -n "__fish_pulsegate_using_subcommand push" -l body-json -d 'BODY is JSON, not a text'
complete -c pulsegate -n "__fish_pulsegate_using_subcommand push" -l ack -d 'have it acknowledged, and sent again until it is'
complete -c pulsegate -n "__fish_pulsegate_using_subcommand push" -l json -d 'print what the daemon answers, as JSON'
complete -c pulsegate -n "__fish_pulsegate_using_subcommand push" -s h -l help -d 'Print help'
complete -c pulsegate -n "__fish_pulsegate_using_subcommand kick" -l admin -d 'the daemon\'s admin interface, http://HOST:PORT or unix:/PATH; also PULSEGATE_ADMIN [default: http://127.0.0.1:7374]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand kick" -l token-file -d 'the file that holds the token; also PULSEGATE_ADMIN_TOKEN_FILE, or the token itself in PULSEGATE_ADMIN_TOKEN' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand kick" -l json -d 'print what the daemon answers, as JSON'
complete -c pulsegate -n "__fish_pulsegate_using_subcommand kick" -s h -l help -d 'Print help'
complete -c pulsegate -n "__fish_pulsegate_using_subcommand ban" -l user -d 'this user' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand ban" -l cidr -d 'this address or network, as 10.0.0.0/8' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand ban" -l for -d 'for so long [default: until it is removed, or the daemon ends]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand ban" -l admin -d 'the daemon\'s admin interface, http://HOST:PORT or unix:/PATH; also PULSEGATE_ADMIN [default: http://127.0.0.1:7374]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand ban" -l token-file -d 'the file that holds the token; also PULSEGATE_ADMIN_TOKEN_FILE, or the token itself in PULSEGATE_ADMIN_TOKEN' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand ban" -l list -d 'list all bans'
complete -c pulsegate -n "__fish_pulsegate_using_subcommand ban" -l allow -d 'let it in, whatever a wider ban or list says'
complete -c pulsegate -n "__fish_pulsegate_using_subcommand ban" -l remove -d 'take the ban back'
complete -c pulsegate -n "__fish_pulsegate_using_subcommand ban" -l json -d 'print what the daemon answers, as JSON'
complete -c pulsegate -n "__fish_pulsegate_using_subcommand ban" -s h -l help -d 'Print help'
complete -c pulsegate -n "__fish_pulsegate_using_subcommand drain" -l over -d 'spread the goodbyes over so long [default: drain.over]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand drain" -l admin -d 'the daemon\'s admin interface, http://HOST:PORT or unix:/PATH; also PULSEGATE_ADMIN [default: http://127.0.0.1:7374]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand drain" -l token-file -d 'the file that holds the token; also PULSEGATE_ADMIN_TOKEN_FILE, or the token itself in PULSEGATE_ADMIN_TOKEN' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand drain" -l json -d 'print what the daemon answers, as JSON'
complete -c pulsegate -n "__fish_pulsegate_using_subcommand drain" -s h -l help -d 'Print help'
complete -c pulsegate -n "__fish_pulsegate_using_subcommand reload" -l admin -d 'the daemon\'s admin interface, http://HOST:PORT or unix:/PATH; also PULSEGATE_ADMIN [default: http://127.0.0.1:7374]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand reload" -l token-file -d 'the file that holds the token; also PULSEGATE_ADMIN_TOKEN_FILE, or the token itself in PULSEGATE_ADMIN_TOKEN' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand reload" -l json -d 'print what the daemon answers, as JSON'
complete -c pulsegate -n "__fish_pulsegate_using_subcommand reload" -s h -l help -d 'Print help'
complete -c pulsegate -n "__fish_pulsegate_using_subcommand tap" -l for -d 'for so long, at most an hour [default: 30s]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand tap" -l admin -d 'the daemon\'s admin interface, http://HOST:PORT or unix:/PATH; also PULSEGATE_ADMIN [default: http://127.0.0.1:7374]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand tap" -l token-file -d 'the file that holds the token; also PULSEGATE_ADMIN_TOKEN_FILE, or the token itself in PULSEGATE_ADMIN_TOKEN' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand tap" -l json -d 'print what the daemon answers, as JSON'
complete -c pulsegate -n "__fish_pulsegate_using_subcommand tap" -s h -l help -d 'Print help'
complete -c pulsegate -n "__fish_pulsegate_using_subcommand top" -l sort -d 'what comes first: the largest of these, or the longest ago' -r -f -a "frames_per_second\t''
bytes_in\t''
bytes_out\t''
outbox\t''
frames_in\t''
frames_out\t''
last_in\t''
last_out\t''
opened\t''
id\t''"
complete -c pulsegate -n "__fish_pulsegate_using_subcommand top" -l every -d 'asks so often [default: 2s]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand top" -l admin -d 'the daemon\'s admin interface, http://HOST:PORT or unix:/PATH; also PULSEGATE_ADMIN [default: http://127.0.0.1:7374]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand top" -l token-file -d 'the file that holds the token; also PULSEGATE_ADMIN_TOKEN_FILE, or the token itself in PULSEGATE_ADMIN_TOKEN' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand top" -l json -d 'print what the daemon answers, as JSON'
complete -c pulsegate -n "__fish_pulsegate_using_subcommand top" -s h -l help -d 'Print help'
complete -c pulsegate -n "__fish_pulsegate_using_subcommand connect" -l user -d 'log in under this name' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand connect" -l token-file -d 'the file that holds the login\'s token' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand connect" -l framing -d 'line, lenhdr, binary, or with options as in the configuration' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand connect" -l heartbeat -d 'server (as it asks at login), adaptive (learns how long it may be silent), off, or a duration' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand connect" -l timeout -d 'how long a connection, an answer or an expectation may take' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand connect" -l script -d 'play this script; - reads it from stdin' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand connect" -l speed -d 'make the script\'s sleeps so many times shorter' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand connect" -l for -d 'leave after so long [default: at the end of stdin]' -r
complete -c pulsegate -n "__fish_pulsegate_using_subcommand connect" -l once -d 'do not come back when the connection is lost'
complete -c pulsegate -n "__fish_pulsegate_using_subcommand connect" -l raw -d 'no client: no login, no heartbeats, no coming back'
complete -c pulsegate -n "__fish_pulsegate_using_subcommand connect" -l json -d 'print what happens as JSON, an object a line'
complete -c pulsegate -n "__fish_pulsegate_using_subcommand connect" -s h -l help -d 'Print help'
