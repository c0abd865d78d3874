{
echo '*filter'
iptables-legacy-save -t filter | sed -n -e 's/^:\(BTPLAN-4ea14058-[^ ]*\) .*/-X \1/p' -e 's/^-A \(.* -[gj] BTPLAN-[A-Z]*-home\)$/-D \1/p'
cat <<'END'
:BTPLAN-FWD-home - [0:0]
:BTPLAN-4ea14058-00000000000b - [0:0]
-I FORWARD 1 -m comment --comment btplan:hook:home -j BTPLAN-FWD-home
COMMIT
END
} | iptables-legacy-restore -w --noflush || return
{
echo '*filter'
ip6tables-legacy-save -t filter | sed -n -e 's/^:\(BTPLAN-4ea14058-[^ ]*\) .*/-X \1/p' -e 's/^-A \(.* -[gj] BTPLAN-[A-Z]*-home\)$/-D \1/p'
cat <<'END'
:BTPLAN-FWD-home - [0:0]
:BTPLAN-4ea14058-00000000000b - [0:0]
-A BTPLAN-FWD-home -d 2001:db8::11/128 -p tcp -m conntrack --ctdir ORIGINAL -m tcp --dport 6881:6889 -m comment --comment "btplan:home:bt/é:0a1b2c3d" -j ACCEPT
-A BTPLAN-FWD-home -s 2001:db8::11/128 -p tcp -m conntrack --ctdir REPLY -m tcp --sport 6881:6889 -j ACCEPT
-I FORWARD 1 -m comment --comment btplan:hook:home -j BTPLAN-FWD-home
COMMIT
END
} | ip6tables-legacy-restore -w --noflush || return
{
echo '*mangle'
ip6tables-legacy-save -t mangle | sed -n -e 's/^:\(BTPLAN-4ea14058-[^ ]*\) .*/-X \1/p' -e 's/^-A \(.* -[gj] BTPLAN-[A-Z]*-home\)$/-D \1/p'
cat <<'END'
:BTPLAN-MARK-home - [0:0]
:BTPLAN-4ea14058-00000000000b - [0:0]
-A BTPLAN-MARK-home -d 2001:db8::11/128 -p tcp -m conntrack --ctdir ORIGINAL -m tcp --dport 6881:6889 -j MARK --set-xmark 0x10000000/0x10000000
-A BTPLAN-MARK-home -s 2001:db8::11/128 -p tcp -m conntrack --ctdir REPLY -m tcp --sport 6881:6889 -j MARK --set-xmark 0x10000000/0x10000000
-I FORWARD 1 -m comment --comment btplan:hook:home -j BTPLAN-MARK-home
COMMIT
END
} | ip6tables-legacy-restore -w --noflush || return
ip6tables-nft -w -t filter -C FORWARD -m mark --mark 0x10000000/0x10000000 -m comment --comment btplan:hook:home -j ACCEPT 2>/dev/null || ip6tables-nft -w -t filter -I FORWARD 1 -m mark --mark 0x10000000/0x10000000 -m comment --comment btplan:hook:home -j ACCEPT
ip6tables-legacy -w -t mangle -C FORWARD -m mark --mark 0x10000000/0x10000000 -m comment --comment btplan:hook:home -j ACCEPT 2>/dev/null || ip6tables-legacy -w -t mangle -I FORWARD 3 -m mark --mark 0x10000000/0x10000000 -m comment --comment btplan:hook:home -j ACCEPT 2>/dev/null || ip6tables-legacy -w -t mangle -I FORWARD 1 -m mark --mark 0x10000000/0x10000000 -m comment --comment btplan:hook:home -j ACCEPT
