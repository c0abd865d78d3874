{
echo '*filter'
echo '-X BTPLAN-4ea14058-00000000000b'
iptables-legacy-save -t filter | sed -n -e '/^:BTPLAN-4ea14058-00000000000b /d' -e 's/^:\(BTPLAN-4ea14058-[^ ]*\) .*/-X \1/p' -e 's/^-A \(.* -[gj] BTPLAN-[A-Z]*-home\)$/-D \1/p'
cat <<'END'
:BTPLAN-FWD-home - [0:0]
:BTPLAN-4ea14058-00000000000a - [0:0]
-A BTPLAN-FWD-home -d 192.168.1.11/32 -p tcp -m conntrack --ctstate DNAT --ctdir ORIGINAL -m tcp --dport 6881:6889 -j ACCEPT
-A BTPLAN-FWD-home -s 192.168.1.11/32 -p tcp -m conntrack --ctstate DNAT --ctdir REPLY -m tcp --sport 6881:6889 -j ACCEPT
-A BTPLAN-FWD-home -s 10.0.0.0/8 -d 192.168.1.11/32 -p udp -m conntrack --ctstate DNAT --ctdir ORIGINAL -m udp --dport 6881:6882 -j ACCEPT
-A BTPLAN-FWD-home -s 192.168.1.11/32 -d 10.0.0.0/8 -p udp -m conntrack --ctstate DNAT --ctdir REPLY -m udp --sport 6881:6882 -j ACCEPT
-A BTPLAN-FWD-home -s 192.0.2.0/24 -d 192.168.1.11/32 -p udp -m conntrack --ctstate DNAT --ctdir ORIGINAL -m udp --dport 6881:6882 -j ACCEPT
-A BTPLAN-FWD-home -s 192.168.1.11/32 -d 192.0.2.0/24 -p udp -m conntrack --ctstate DNAT --ctdir REPLY -m udp --sport 6881:6882 -j ACCEPT
-I FORWARD 1 -m comment --comment btplan:hook:home -j BTPLAN-FWD-home
COMMIT
END
} | iptables-legacy-restore -w --noflush || return 79
{
echo '*mangle'
echo '-X BTPLAN-4ea14058-00000000000b'
iptables-legacy-save -t mangle | sed -n -e '/^:BTPLAN-4ea14058-00000000000b /d' -e 's/^:\(BTPLAN-4ea14058-[^ ]*\) .*/-X \1/p' -e 's/^-A \(.* -[gj] BTPLAN-[A-Z]*-home\)$/-D \1/p'
cat <<'END'
:BTPLAN-MARK-home - [0:0]
-X BTPLAN-MARK-home
COMMIT
END
} | iptables-legacy-restore -w --noflush
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
-A BTPLAN-DNAT-home -s 10.0.0.0/8 -p udp -m udp --dport 16881 -m comment --comment btplan:home:dht:4e5f6071 -j DNAT --to-destination 192.168.1.11:6881
-A BTPLAN-DNAT-home -s 10.0.0.0/8 -p udp -m udp --dport 16882 -m comment --comment btplan:home:dht:4e5f6071 -j DNAT --to-destination 192.168.1.11:6882
-A BTPLAN-DNAT-home -s 192.0.2.0/24 -p udp -m udp --dport 16881 -m comment --comment btplan:home:dht:4e5f6071 -j DNAT --to-destination 192.168.1.11:6881
-A BTPLAN-DNAT-home -s 192.0.2.0/24 -p udp -m udp --dport 16882 -m comment --comment btplan:home:dht:4e5f6071 -j DNAT --to-destination 192.168.1.11:6882
-A BTPLAN-POST-home -d 192.168.1.11/32 -p tcp -m mark --mark 0x20000000/0x20000000 -m conntrack --ctstate DNAT -m tcp --dport 6881:6889 -j MASQUERADE
-A BTPLAN-POST-home -s 10.0.0.0/8 -d 192.168.1.11/32 -p udp -m mark --mark 0x20000000/0x20000000 -m conntrack --ctstate DNAT -m udp --dport 6881:6882 -j MASQUERADE
-A BTPLAN-POST-home -s 192.0.2.0/24 -d 192.168.1.11/32 -p udp -m mark --mark 0x20000000/0x20000000 -m conntrack --ctstate DNAT -m udp --dport 6881:6882 -j MASQUERADE
-I PREROUTING 1 -m comment --comment btplan:hook:home -j BTPLAN-PRE-home
-I POSTROUTING 1 -m comment --comment btplan:hook:home -j BTPLAN-POST-home
COMMIT
END
} | iptables-legacy-restore -w --noflush
iptables-nft -w -t filter -D FORWARD -m mark --mark 0x10000000/0x10000000 -m comment --comment btplan:hook:home -j ACCEPT 2>/dev/null
