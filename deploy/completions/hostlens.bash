_hostlens() {
    local i cur prev opts cmd
    COMPREPLY=()
    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
        cur="$2"
    else
        cur="${COMP_WORDS[COMP_CWORD]}"
    fi
    prev="$3"
    cmd=""
    opts=""

    for i in "${COMP_WORDS[@]:0:COMP_CWORD}"
    do
        case "${cmd},${i}" in
            ",$1")
                cmd="hostlens"
                ;;
            hostlens,agent)
                cmd="hostlens__subcmd__agent"
                ;;
            hostlens,doctor)
                cmd="hostlens__subcmd__doctor"
                ;;
            hostlens,metrics)
                cmd="hostlens__subcmd__metrics"
                ;;
            hostlens,top)
                cmd="hostlens__subcmd__top"
                ;;
            *)
                ;;
        esac
    done

    case "${cmd}" in
        hostlens)
            opts="-h -V --help --version agent top doctor metrics"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 1 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        hostlens__subcmd__agent)
            opts="-h -V --listen --web.config.file --interval --series-limit --series-retention --ebpf --ebpf-log --config --own-network --rtt-source --response-time --response-budget --peer-budget --process-budget --dns --process-disk-latency --no-host --tcp-process-label --service-label --ring-bytes --log-level --help --version"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --listen)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --web.config.file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --interval)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --series-limit)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --series-retention)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --ebpf)
                    COMPREPLY=($(compgen -W "auto on off" -- "${cur}"))
                    return 0
                    ;;
                --config)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --own-network)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --rtt-source)
                    COMPREPLY=($(compgen -W "walk ack" -- "${cur}"))
                    return 0
                    ;;
                --response-time)
                    COMPREPLY=($(compgen -W "off on auto" -- "${cur}"))
                    return 0
                    ;;
                --response-budget)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --peer-budget)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --process-budget)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --service-label)
                    COMPREPLY=($(compgen -W "on off" -- "${cur}"))
                    return 0
                    ;;
                --ring-bytes)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --log-level)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        hostlens__subcmd__doctor)
            opts="-h -V --json --ebpf --ebpf-log --config --own-network --rtt-source --response-time --response-budget --peer-budget --process-budget --dns --process-disk-latency --no-host --tcp-process-label --service-label --ring-bytes --log-level --help --version"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --ebpf)
                    COMPREPLY=($(compgen -W "auto on off" -- "${cur}"))
                    return 0
                    ;;
                --config)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --own-network)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --rtt-source)
                    COMPREPLY=($(compgen -W "walk ack" -- "${cur}"))
                    return 0
                    ;;
                --response-time)
                    COMPREPLY=($(compgen -W "off on auto" -- "${cur}"))
                    return 0
                    ;;
                --response-budget)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --peer-budget)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --process-budget)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --service-label)
                    COMPREPLY=($(compgen -W "on off" -- "${cur}"))
                    return 0
                    ;;
                --ring-bytes)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --log-level)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        hostlens__subcmd__metrics)
            opts="-h -V --markdown --help --version"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        hostlens__subcmd__top)
            opts="-b -n -h -V --view --sort --interval --filter --batch --json --iterations --ebpf --ebpf-log --config --own-network --rtt-source --response-time --response-budget --peer-budget --process-budget --dns --process-disk-latency --no-host --tcp-process-label --service-label --ring-bytes --log-level --help --version"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --view)
                    COMPREPLY=($(compgen -W "processes peers connections listeners services failures upstreams ports dns disks filesystems jobs limits" -- "${cur}"))
                    return 0
                    ;;
                --sort)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --interval)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --filter)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --iterations)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -n)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --ebpf)
                    COMPREPLY=($(compgen -W "auto on off" -- "${cur}"))
                    return 0
                    ;;
                --config)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --own-network)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --rtt-source)
                    COMPREPLY=($(compgen -W "walk ack" -- "${cur}"))
                    return 0
                    ;;
                --response-time)
                    COMPREPLY=($(compgen -W "off on auto" -- "${cur}"))
                    return 0
                    ;;
                --response-budget)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --peer-budget)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --process-budget)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --service-label)
                    COMPREPLY=($(compgen -W "on off" -- "${cur}"))
                    return 0
                    ;;
                --ring-bytes)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --log-level)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
    esac
}

if [[ "${BASH_VERSINFO[0]}" -eq 4 && "${BASH_VERSINFO[1]}" -ge 4 || "${BASH_VERSINFO[0]}" -gt 4 ]]; then
    complete -F _hostlens -o nosort -o bashdefault -o default hostlens
else
    complete -F _hostlens -o bashdefault -o default hostlens
fi
