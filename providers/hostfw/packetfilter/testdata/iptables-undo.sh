{
echo '*filter'
echo '-X BTPLAN-96b7b95f-00000000000b'
iptables-legacy-save -t filter | sed -n -e '/^:BTPLAN-96b7b95f-00000000000b /d' -e 's/^:\(BTPLAN-96b7b95f-[^ ]*\) .*/-X \1/p' -e 's/^-A \(.* -[gj] BTPLANHOST-[A-Z]*-home\)$/-D \1/p'
cat <<'END'
:BTPLANHOST-IN-home - [0:0]
:BTPLANHOST-OUT-home - [0:0]
:BTPLAN-96b7b95f-ae86e473babd - [0:0]
-A BTPLANHOST-IN-home -p tcp -m tcp --dport 6881:6889 -m comment --comment btplan:home:bt/alice%20smith:71634b1f -j ACCEPT
-A BTPLANHOST-IN-home -p tcp -m tcp --dport 6900 -m comment --comment btplan:home:bt/alice%20smith:71634b1f -j ACCEPT
-A BTPLANHOST-IN-home -p tcp -m tcp --dport 7777 -m comment --comment btplan:home:other:5f6d4085 -j ACCEPT
-A BTPLANHOST-IN-home -s 203.0.113.7/32 -p udp -m udp --dport 1 -m comment --comment btplan:home:bt/alice%20smith:71634b1f -j ACCEPT
-I INPUT 1 -m comment --comment btplan:hook:home -j BTPLANHOST-IN-home
-I OUTPUT 1 -m comment --comment btplan:hook:home -j BTPLANHOST-OUT-home
COMMIT
END
} | iptables-legacy-restore -w --noflush || return 79
{
echo '*filter'
echo '-X BTPLAN-96b7b95f-00000000000b'
ip6tables-legacy-save -t filter | sed -n -e '/^:BTPLAN-96b7b95f-00000000000b /d' -e 's/^:\(BTPLAN-96b7b95f-[^ ]*\) .*/-X \1/p' -e 's/^-A \(.* -[gj] BTPLANHOST-[A-Z]*-home\)$/-D \1/p'
cat <<'END'
:BTPLANHOST-IN-home - [0:0]
:BTPLANHOST-OUT-home - [0:0]
:BTPLAN-96b7b95f-ae86e473babd - [0:0]
-A BTPLANHOST-IN-home -p tcp -m tcp --dport 6881:6889 -m comment --comment btplan:home:bt/alice%20smith:71634b1f -j ACCEPT
-A BTPLANHOST-IN-home -s 2001:db8::/32 -p tcp -m tcp --dport 7777 -m comment --comment btplan:home:other:5f6d4085 -j ACCEPT
-A BTPLANHOST-IN-home -s 2001:db8::/32 -p udp -m udp --dport 1 -m comment --comment btplan:home:bt/alice%20smith:71634b1f -j ACCEPT
-I INPUT 1 -m comment --comment btplan:hook:home -j BTPLANHOST-IN-home
-I OUTPUT 1 -m comment --comment btplan:hook:home -j BTPLANHOST-OUT-home
COMMIT
END
} | ip6tables-legacy-restore -w --noflush
