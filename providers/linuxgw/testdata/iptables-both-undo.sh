{
echo '*filter'
echo '-X BTPLAN-4ea14058-00000000000b'
iptables-legacy-save -t filter | sed -n -e '/^:BTPLAN-4ea14058-00000000000b /d' -e 's/^:\(BTPLAN-4ea14058-[^ ]*\) .*/-X \1/p' -e 's/^-A \(.* -[gj] BTPLAN-[A-Z]*-home\)$/-D \1/p'
cat <<'END'
:BTPLAN-FWD-home - [0:0]
:BTPLAN-4ea14058-00000000000a - [0:0]
-A BTPLAN-FWD-home -d 192.168.1.11/32 -p tcp -m conntrack --ctstate DNAT --ctdir ORIGINAL -m tcp --dport 6881:6889 -j ACCEPT
-A BTPLAN-FWD-home -s 192.168.1.11/32 -p tcp -m conntrack --ctstate DNAT --ctdir REPLY -m tcp --sport 6881:6889 -j ACCEPT
-I FORWARD 1 -m comment --comment btplan:hook:home -j BTPLAN-FWD-home
COMMIT
END
} | iptables-legacy-restore -w --noflush || return 79
{
echo '*filter'
echo '-X BTPLAN-4ea14058-00000000000b'
ip6tables-legacy-save -t filter | sed -n -e '/^:BTPLAN-4ea14058-00000000000b /d' -e 's/^:\(BTPLAN-4ea14058-[^ ]*\) .*/-X \1/p' -e 's/^-A \(.* -[gj] BTPLAN-[A-Z]*-home\)$/-D \1/p'
cat <<'END'
:BTPLAN-FWD-home - [0:0]
-X BTPLAN-FWD-home
COMMIT
END
} | ip6tables-legacy-restore -w --noflush
{
echo '*mangle'
iptables-legacy-save -t mangle | sed -n -e 's/^:\(BTPLAN-4ea14058-[^ ]*\) .*/-X \1/p' -e 's/^-A \(.* -[gj] BTPLAN-[A-Z]*-home\)$/-D \1/p'
cat <<'END'
-N BTPLAN-MARK-home
:BTPLAN-4ea14058-00000000000a - [0:0]
-A BTPLAN-MARK-home -d 192.168.1.11/32 -p tcp -m conntrack --ctstate DNAT --ctdir ORIGINAL -m tcp --dport 6881:6889 -j MARK --set-xmark 0x10000000/0x10000000
-A BTPLAN-MARK-home -s 192.168.1.11/32 -p tcp -m conntrack --ctstate DNAT --ctdir REPLY -m tcp --sport 6881:6889 -j MARK --set-xmark 0x10000000/0x10000000
-I FORWARD 1 -m comment --comment btplan:hook:home -j BTPLAN-MARK-home
COMMIT
END
} | iptables-legacy-restore -w --noflush
{
echo '*mangle'
echo '-X BTPLAN-4ea14058-00000000000b'
ip6tables-legacy-save -t mangle | sed -n -e '/^:BTPLAN-4ea14058-00000000000b /d' -e 's/^:\(BTPLAN-4ea14058-[^ ]*\) .*/-X \1/p' -e 's/^-A \(.* -[gj] BTPLAN-[A-Z]*-home\)$/-D \1/p'
cat <<'END'
:BTPLAN-MARK-home - [0:0]
-X BTPLAN-MARK-home
COMMIT
END
} | ip6tables-legacy-restore -w --noflush
{
echo '*nat'
echo '-X BTPLAN-4ea14058-00000000000b'
iptables-legacy-save -t nat | sed -n -e '/^:BTPLAN-4ea14058-00000000000b /d' -e 's/^:\(BTPLAN-4ea14058-[^ ]*\) .*/-X \1/p' -e 's/^-A \(.* -[gj] BTPLAN-[A-Z]*-home\)$/-D \1/p'
cat <<'END'
:BTPLAN-PRE-home - [0:0]
:BTPLAN-DNAT-home - [0:0]
:BTPLAN-POST-home - [0:0]
:BTPLAN-4ea14058-00000000000a - [0:0]
-A BTPLAN-PRE-home -i wan0 -m addrtype --dst-type LOCAL -j BTPLAN-DNAT-home
-A BTPLAN-PRE-home ! -i wan0 -m addrtype --dst-type LOCAL -m addrtype ! --dst-type LOCAL --limit-iface-in -j MARK --set-xmark 0x20000000/0x20000000
-A BTPLAN-PRE-home ! -i wan0 -m addrtype --dst-type LOCAL -m addrtype ! --dst-type LOCAL --limit-iface-in -j BTPLAN-DNAT-home
-A BTPLAN-DNAT-home -p tcp -m tcp --dport 6881:6889 -m comment --comment "btplan:home:bt/é:0a1b2c3d" -j DNAT --to-destination 192.168.1.11
-A BTPLAN-POST-home -d 192.168.1.11/32 -p tcp -m mark --mark 0x20000000/0x20000000 -m conntrack --ctstate DNAT -m tcp --dport 6881:6889 -j MASQUERADE
-I PREROUTING 1 -m comment --comment btplan:hook:home -j BTPLAN-PRE-home
-I POSTROUTING 1 -m comment --comment btplan:hook:home -j BTPLAN-POST-home
COMMIT
END
} | iptables-legacy-restore -w --noflush
{
echo '*nat'
echo '-X BTPLAN-4ea14058-00000000000b'
ip6tables-legacy-save -t nat | sed -n -e '/^:BTPLAN-4ea14058-00000000000b /d' -e 's/^:\(BTPLAN-4ea14058-[^ ]*\) .*/-X \1/p' -e 's/^-A \(.* -[gj] BTPLAN-[A-Z]*-home\)$/-D \1/p'
cat <<'END'
:BTPLAN-DNAT-home - [0:0]
-X BTPLAN-DNAT-home
COMMIT
END
} | ip6tables-legacy-restore -w --noflush
ip6tables-nft -w -t filter -D FORWARD -m mark --mark 0x10000000/0x10000000 -m comment --comment btplan:hook:home -j ACCEPT 2>/dev/null
ip6tables-legacy -w -t mangle -D FORWARD -m mark --mark 0x10000000/0x10000000 -m comment --comment btplan:hook:home -j ACCEPT 2>/dev/null
