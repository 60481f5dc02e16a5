# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_hostlens_global_optspecs
    string join \n h/help V/version
end

function __fish_hostlens_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_hostlens_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_hostlens_using_subcommand
    set -l cmd (__fish_hostlens_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c hostlens -n "__fish_hostlens_needs_command" -s h -l help -d 'Print help'
complete -c hostlens -n "__fish_hostlens_needs_command" -s V -l version -d 'Print version'
complete -c hostlens -n "__fish_hostlens_needs_command" -f -a "agent" -d 'Collect in the background and serve Prometheus'
complete -c hostlens -n "__fish_hostlens_needs_command" -f -a "top" -d 'Look at processes, peers and connections now'
complete -c hostlens -n "__fish_hostlens_needs_command" -f -a "doctor" -d 'Say what works on this host, from where each signal comes, and why not from better'
complete -c hostlens -n "__fish_hostlens_needs_command" -f -a "metrics" -d 'List every exported metric'
complete -c hostlens -n "__fish_hostlens_using_subcommand agent" -l listen -d 'Address and port to serve on, or unix:/PATH for a unix socket; repeatable' -r
complete -c hostlens -n "__fish_hostlens_using_subcommand agent" -l web.config.file -d 'TLS, passwords and headers of the server: the web configuration file of Prometheus\' exporters' -r -F
complete -c hostlens -n "__fish_hostlens_using_subcommand agent" -l interval -d 'Time between two cycles (200ms to 10m)' -r
complete -c hostlens -n "__fish_hostlens_using_subcommand agent" -l series-limit -d 'Series exposed at most, all families together' -r
complete -c hostlens -n "__fish_hostlens_using_subcommand agent" -l series-retention -d 'How long the counters of a group that ended stay exposed (0s to 24h)' -r
complete -c hostlens -n "__fish_hostlens_using_subcommand agent" -l ebpf -d 'Use kernel programs: where they load, always (or fail), or never' -r -f -a "auto\t'Where they load; where not, fall back and say so'
on\t'Fail if one does not load'
off\t'Never: netlink and /proc alone'"
complete -c hostlens -n "__fish_hostlens_using_subcommand agent" -l config -d 'Name processes by the rules in this YAML file' -r -F
complete -c hostlens -n "__fish_hostlens_using_subcommand agent" -l own-network -d 'Show the addresses of this network one by one; all others are folded into "other"' -r
complete -c hostlens -n "__fish_hostlens_using_subcommand agent" -l rtt-source -d 'Where round-trip times come from: one smoothed sample per connection and cycle, or every acknowledgement\'s (costs something for each segment received)' -r -f -a "walk\t'One smoothed sample per connection and cycle, from the walk over sockets'
ack\t'Every acknowledgement\'s, from a kernel program that runs for each segment received'"
complete -c hostlens -n "__fish_hostlens_using_subcommand agent" -l response-time -d 'Watch how long peers take to answer, and we to answer them: time to the first byte' -r -f -a "off\t'Only while asked for: by a key in top, or POST /api/response-time'
on\t'Always, whatever it costs'
auto\t'Always, unless it costs more than --response-budget'"
complete -c hostlens -n "__fish_hostlens_using_subcommand agent" -l response-budget -d 'What that may cost, as a share of a core (1% or 0.01): above it, it is turned off for a while, unless it is to be on always' -r
complete -c hostlens -n "__fish_hostlens_using_subcommand agent" -l peer-budget -d 'Peers shown by name, per direction; the lightest are folded into "other" [default: 100, in top 100000]' -r
complete -c hostlens -n "__fish_hostlens_using_subcommand agent" -l process-budget -d 'Process groups shown by name; the lightest are folded into "other" [default: 300, in top 100000]' -r
complete -c hostlens -n "__fish_hostlens_using_subcommand agent" -l service-label -d 'Tell owners apart by the container or systemd unit they belong to: label "service" on all families of processes and listeners' -r -f -a "on\t'Yes'
off\t'No'"
complete -c hostlens -n "__fish_hostlens_using_subcommand agent" -l ring-bytes -d 'Size of each ring buffer, bytes' -r
complete -c hostlens -n "__fish_hostlens_using_subcommand agent" -l log-level -d 'Log this level and above: error, warn, info, debug, trace' -r
complete -c hostlens -n "__fish_hostlens_using_subcommand agent" -l ebpf-log -d 'Pass diagnostics of the kernel programs on to the log'
complete -c hostlens -n "__fish_hostlens_using_subcommand agent" -l dns -d 'Watch name resolution: who asks whom, how long it takes, what fails'
complete -c hostlens -n "__fish_hostlens_using_subcommand agent" -l process-disk-latency -d 'Tell processes apart that wait for disks: how long their reads and synchronous writes take'
complete -c hostlens -n "__fish_hostlens_using_subcommand agent" -l no-host -d 'Leave out the families about the host as a whole (host_*, service_pressure_*)'
complete -c hostlens -n "__fish_hostlens_using_subcommand agent" -l tcp-process-label -d 'Tell TCP peers apart by process and user: labels "process" and "user" on the families of peers (RTT, bytes, connections by state)'
complete -c hostlens -n "__fish_hostlens_using_subcommand agent" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hostlens -n "__fish_hostlens_using_subcommand agent" -s V -l version -d 'Print version'
complete -c hostlens -n "__fish_hostlens_using_subcommand top" -l view -d 'What to list first; on the screen the keys in the tabs switch' -r -f -a "processes\t'Groups of processes by name and user'
peers\t'Groups of TCP connections by remote peer'
connections\t'Single TCP connections'
listeners\t'TCP listeners and what they cannot keep up with; ports that refuse'
services\t'Lives of TCP connections by process and port: opens, ends, losses'
failures\t'Attempts to connect that failed'
upstreams\t'Pools of peers and how evenly they are loaded'
ports\t'Local ports in use towards one remote end'
dns\t'Name resolution'
disks\t'Disks: how long requests take, for whom, and which are slow by themselves'
filesystems\t'Filesystems: how full, how soon full, what hangs'
jobs\t'Processes of one session or service together'
limits\t'What can run out: descriptors, threads, memory, ports, …'"
complete -c hostlens -n "__fish_hostlens_using_subcommand top" -l sort -d 'Column to sort by, e.g. cpu, mem, p95, sent; a wrong name lists them all' -r
complete -c hostlens -n "__fish_hostlens_using_subcommand top" -l interval -d 'Time between two cycles, at least 0.2' -r
complete -c hostlens -n "__fish_hostlens_using_subcommand top" -l filter -d 'Show only lines that contain TEXT, in any case; A|B is either' -r
complete -c hostlens -n "__fish_hostlens_using_subcommand top" -s n -l iterations -d 'End after this many cycles; until interrupted without it' -r
complete -c hostlens -n "__fish_hostlens_using_subcommand top" -l ebpf -d 'Use kernel programs: where they load, always (or fail), or never' -r -f -a "auto\t'Where they load; where not, fall back and say so'
on\t'Fail if one does not load'
off\t'Never: netlink and /proc alone'"
complete -c hostlens -n "__fish_hostlens_using_subcommand top" -l config -d 'Name processes by the rules in this YAML file' -r -F
complete -c hostlens -n "__fish_hostlens_using_subcommand top" -l own-network -d 'Show the addresses of this network one by one; all others are folded into "other"' -r
complete -c hostlens -n "__fish_hostlens_using_subcommand top" -l rtt-source -d 'Where round-trip times come from: one smoothed sample per connection and cycle, or every acknowledgement\'s (costs something for each segment received)' -r -f -a "walk\t'One smoothed sample per connection and cycle, from the walk over sockets'
ack\t'Every acknowledgement\'s, from a kernel program that runs for each segment received'"
complete -c hostlens -n "__fish_hostlens_using_subcommand top" -l response-time -d 'Watch how long peers take to answer, and we to answer them: time to the first byte' -r -f -a "off\t'Only while asked for: by a key in top, or POST /api/response-time'
on\t'Always, whatever it costs'
auto\t'Always, unless it costs more than --response-budget'"
complete -c hostlens -n "__fish_hostlens_using_subcommand top" -l response-budget -d 'What that may cost, as a share of a core (1% or 0.01): above it, it is turned off for a while, unless it is to be on always' -r
complete -c hostlens -n "__fish_hostlens_using_subcommand top" -l peer-budget -d 'Peers shown by name, per direction; the lightest are folded into "other" [default: 100, in top 100000]' -r
complete -c hostlens -n "__fish_hostlens_using_subcommand top" -l process-budget -d 'Process groups shown by name; the lightest are folded into "other" [default: 300, in top 100000]' -r
complete -c hostlens -n "__fish_hostlens_using_subcommand top" -l service-label -d 'Tell owners apart by the container or systemd unit they belong to: label "service" on all families of processes and listeners' -r -f -a "on\t'Yes'
off\t'No'"
complete -c hostlens -n "__fish_hostlens_using_subcommand top" -l ring-bytes -d 'Size of each ring buffer, bytes' -r
complete -c hostlens -n "__fish_hostlens_using_subcommand top" -l log-level -d 'Log this level and above: error, warn, info, debug, trace' -r
complete -c hostlens -n "__fish_hostlens_using_subcommand top" -s b -l batch -d 'Print plain text, for pipes and files'
complete -c hostlens -n "__fish_hostlens_using_subcommand top" -l json -d 'Print one JSON object per line and cycle'
complete -c hostlens -n "__fish_hostlens_using_subcommand top" -l ebpf-log -d 'Pass diagnostics of the kernel programs on to the log'
complete -c hostlens -n "__fish_hostlens_using_subcommand top" -l dns -d 'Watch name resolution: who asks whom, how long it takes, what fails'
complete -c hostlens -n "__fish_hostlens_using_subcommand top" -l process-disk-latency -d 'Tell processes apart that wait for disks: how long their reads and synchronous writes take'
complete -c hostlens -n "__fish_hostlens_using_subcommand top" -l no-host -d 'Leave out the families about the host as a whole (host_*, service_pressure_*)'
complete -c hostlens -n "__fish_hostlens_using_subcommand top" -l tcp-process-label -d 'Tell TCP peers apart by process and user: labels "process" and "user" on the families of peers (RTT, bytes, connections by state)'
complete -c hostlens -n "__fish_hostlens_using_subcommand top" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hostlens -n "__fish_hostlens_using_subcommand top" -s V -l version -d 'Print version'
complete -c hostlens -n "__fish_hostlens_using_subcommand doctor" -l ebpf -d 'Use kernel programs: where they load, always (or fail), or never' -r -f -a "auto\t'Where they load; where not, fall back and say so'
on\t'Fail if one does not load'
off\t'Never: netlink and /proc alone'"
complete -c hostlens -n "__fish_hostlens_using_subcommand doctor" -l config -d 'Name processes by the rules in this YAML file' -r -F
complete -c hostlens -n "__fish_hostlens_using_subcommand doctor" -l own-network -d 'Show the addresses of this network one by one; all others are folded into "other"' -r
complete -c hostlens -n "__fish_hostlens_using_subcommand doctor" -l rtt-source -d 'Where round-trip times come from: one smoothed sample per connection and cycle, or every acknowledgement\'s (costs something for each segment received)' -r -f -a "walk\t'One smoothed sample per connection and cycle, from the walk over sockets'
ack\t'Every acknowledgement\'s, from a kernel program that runs for each segment received'"
complete -c hostlens -n "__fish_hostlens_using_subcommand doctor" -l response-time -d 'Watch how long peers take to answer, and we to answer them: time to the first byte' -r -f -a "off\t'Only while asked for: by a key in top, or POST /api/response-time'
on\t'Always, whatever it costs'
auto\t'Always, unless it costs more than --response-budget'"
complete -c hostlens -n "__fish_hostlens_using_subcommand doctor" -l response-budget -d 'What that may cost, as a share of a core (1% or 0.01): above it, it is turned off for a while, unless it is to be on always' -r
complete -c hostlens -n "__fish_hostlens_using_subcommand doctor" -l peer-budget -d 'Peers shown by name, per direction; the lightest are folded into "other" [default: 100, in top 100000]' -r
complete -c hostlens -n "__fish_hostlens_using_subcommand doctor" -l process-budget -d 'Process groups shown by name; the lightest are folded into "other" [default: 300, in top 100000]' -r
complete -c hostlens -n "__fish_hostlens_using_subcommand doctor" -l service-label -d 'Tell owners apart by the container or systemd unit they belong to: label "service" on all families of processes and listeners' -r -f -a "on\t'Yes'
off\t'No'"
complete -c hostlens -n "__fish_hostlens_using_subcommand doctor" -l ring-bytes -d 'Size of each ring buffer, bytes' -r
complete -c hostlens -n "__fish_hostlens_using_subcommand doctor" -l log-level -d 'Log this level and above: error, warn, info, debug, trace' -r
complete -c hostlens -n "__fish_hostlens_using_subcommand doctor" -l json -d 'As one JSON object'
complete -c hostlens -n "__fish_hostlens_using_subcommand doctor" -l ebpf-log -d 'Pass diagnostics of the kernel programs on to the log'
complete -c hostlens -n "__fish_hostlens_using_subcommand doctor" -l dns -d 'Watch name resolution: who asks whom, how long it takes, what fails'
complete -c hostlens -n "__fish_hostlens_using_subcommand doctor" -l process-disk-latency -d 'Tell processes apart that wait for disks: how long their reads and synchronous writes take'
complete -c hostlens -n "__fish_hostlens_using_subcommand doctor" -l no-host -d 'Leave out the families about the host as a whole (host_*, service_pressure_*)'
complete -c hostlens -n "__fish_hostlens_using_subcommand doctor" -l tcp-process-label -d 'Tell TCP peers apart by process and user: labels "process" and "user" on the families of peers (RTT, bytes, connections by state)'
complete -c hostlens -n "__fish_hostlens_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hostlens -n "__fish_hostlens_using_subcommand doctor" -s V -l version -d 'Print version'
complete -c hostlens -n "__fish_hostlens_using_subcommand metrics" -l markdown -d 'As the reference page in docs/metrics.md'
complete -c hostlens -n "__fish_hostlens_using_subcommand metrics" -s h -l help -d 'Print help'
complete -c hostlens -n "__fish_hostlens_using_subcommand metrics" -s V -l version -d 'Print version'
