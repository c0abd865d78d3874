#!/bin/sh
# Made by btplan for its project home, which will write it again: don't edit.
PATH=$PATH:/usr/sbin:/sbin LC_ALL=C
export PATH LC_ALL
[ -d /run ] || mkdir /run
if command -v flock >/dev/null && { true >>/run/btplan.lock; } 2>/dev/null; then
	exec 9>>/run/btplan.lock
	flock 9
fi
load() {
{
echo '*filter'
iptables-legacy-save -t filter | sed -n -e 's/^:\(BTPLAN-96b7b95f-[^ ]*\) .*/-X \1/p' -e 's/^-A \(.* -[gj] BTPLANHOST-[A-Z]*-home\)$/-D \1/p'
cat <<'END'
:BTPLANHOST-IN-home - [0:0]
:BTPLANHOST-OUT-home - [0:0]
:BTPLAN-96b7b95f-00000000000b - [0:0]
-A BTPLANHOST-IN-home -p tcp -m tcp --dport 6881:6889 -m comment --comment btplan:home:bt/alice%20smith:ea3b9a71 -j ACCEPT
-A BTPLANHOST-IN-home -s 203.0.113.0/24 -p udp -m udp --dport 6881 -m comment --comment btplan:home:bt/alice%20smith:ea3b9a71 -j ACCEPT
-A BTPLANHOST-IN-home -p tcp -m conntrack --ctdir REPLY -m tcp --sport 6969 -j ACCEPT
-A BTPLANHOST-OUT-home -p tcp -m tcp --dport 6969 -m comment --comment btplan:home:machine.seedbox:f411b646 -j ACCEPT
-I INPUT 1 -m comment --comment btplan:hook:home -j BTPLANHOST-IN-home
-I OUTPUT 1 -m comment --comment btplan:hook:home -j BTPLANHOST-OUT-home
COMMIT
END
} | iptables-legacy-restore -w --noflush || return
{
echo '*filter'
ip6tables-legacy-save -t filter | sed -n -e 's/^:\(BTPLAN-96b7b95f-[^ ]*\) .*/-X \1/p' -e 's/^-A \(.* -[gj] BTPLANHOST-[A-Z]*-home\)$/-D \1/p'
cat <<'END'
:BTPLANHOST-IN-home - [0:0]
:BTPLANHOST-OUT-home - [0:0]
:BTPLAN-96b7b95f-00000000000b - [0:0]
-A BTPLANHOST-IN-home -p tcp -m tcp --dport 6881:6889 -m comment --comment btplan:home:bt/alice%20smith:ea3b9a71 -j ACCEPT
-A BTPLANHOST-IN-home -s 2001:db8::/32 -p udp -m udp --dport 6881 -m comment --comment btplan:home:bt/alice%20smith:ea3b9a71 -j ACCEPT
-A BTPLANHOST-IN-home -p tcp -m conntrack --ctdir REPLY -m tcp --sport 6969 -j ACCEPT
-A BTPLANHOST-OUT-home -p tcp -m tcp --dport 6969 -m comment --comment btplan:home:machine.seedbox:f411b646 -j ACCEPT
-I INPUT 1 -m comment --comment btplan:hook:home -j BTPLANHOST-IN-home
-I OUTPUT 1 -m comment --comment btplan:hook:home -j BTPLANHOST-OUT-home
COMMIT
END
} | ip6tables-legacy-restore -w --noflush || return
}
load
