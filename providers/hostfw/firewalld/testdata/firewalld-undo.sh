undo() {
fw=org.fedoraproject.FirewallD1
at=/org/fedoraproject/FirewallD1
bus() { busctl --system --auto-start=no --timeout=60 "$@" </dev/null; }
ours() {
	cat /etc/firewalld/policies/btplan-home.xml
	for name in btplan-home; do
		bus call $fw $at $fw.policy getPolicySettings s $name | sed 's/.*"target"/"target"/; s/ "/\n"/g' | sort
	done
} 2>/dev/null
[ ! -e left ] || [ "$(ours)" = "$(cat left)" ] || return 79
if [ -e btplan-home.xml ]; then cp -p btplan-home.xml /etc/firewalld/policies/btplan-home.xml; else rm -f /etc/firewalld/policies/btplan-home.xml; fi
show() {
	bus call $fw $at $fw.$1 $2 s "$4"
}
restore() {
	[ "$(show "$@")" = "$5" ] && return
	kind=$1 set=$3 name=$4
	shift 5
	bus call $fw $at $fw.$kind $set 'sa{sv}' "$name" "$@" >/dev/null
}
others() {
	$1 zone getZoneSettings2 setZoneSettings2 'home' 'a{sv} 9 "short" s "Home" "description" s "For use in home areas. You mostly trust the other computers on networks to not harm your computer. Only selected incoming connections are accepted." "target" s "default" "services" as 4 "ssh" "mdns" "samba-client" "dhcpv6-client" "masquerade" b false "sources" as 1 "203.0.113.128/25" "icmp_block_inversion" b false "forward" b true "rules_str" as 2 "rule family=\"ipv4\" source address=\"10.0.0.0/8\" port port=\"9092\" protocol=\"tcp\" accept" "rule family=\"ipv4\" source address=\"10.0.0.0/8\" port port=\"9091\" protocol=\"tcp\" log prefix=\"it is $(c)\" accept"' 11 forward_ports 'a(ssss)' 0 icmp_blocks 'as' 0 ports 'a(ss)' 0 protocols 'as' 0 rules_str 'as' 2 'rule family="ipv4" source address="10.0.0.0/8" port port="9092" protocol="tcp" accept' 'rule family="ipv4" source address="10.0.0.0/8" port port="9091" protocol="tcp" log prefix="it is $(c)" accept' services 'as' 4 'ssh' 'mdns' 'samba-client' 'dhcpv6-client' source_ports 'a(ss)' 0 sources 'as' 1 '203.0.113.128/25' masquerade b 'false' forward b 'true' icmp_block_inversion b 'false' || return
	$1 zone getZoneSettings2 setZoneSettings2 'public' 'a{sv} 9 "short" s "Public" "description" s "For use in public areas. You do not trust the other computers on networks to not harm your computer. Only selected incoming connections are accepted." "target" s "default" "services" as 2 "ssh" "dhcpv6-client" "masquerade" b false "icmp_block_inversion" b false "forward" b true "ports" a(ss) 2 "8080" "tcp" "5000-5010" "udp" "rules_str" as 2 "rule priority=\"-5\" family=\"ipv6\" source NOT address=\"2001:db8::1\" reject type=\"icmp6-port-unreachable\"" "rule service name=\"ftp\" accept limit value=\"2/m\""' 11 forward_ports 'a(ssss)' 0 icmp_blocks 'as' 0 ports 'a(ss)' 2 '8080' 'tcp' '5000-5010' 'udp' protocols 'as' 0 rules_str 'as' 2 'rule priority="-5" family="ipv6" source NOT address="2001:db8::1" reject type="icmp6-port-unreachable"' 'rule service name="ftp" accept limit value="2/m"' services 'as' 2 'ssh' 'dhcpv6-client' source_ports 'a(ss)' 0 sources 'as' 0 masquerade b 'false' forward b 'true' icmp_block_inversion b 'false' || return
	$1 policy getPolicySettings setPolicySettings 'allow-host-ipv6' 'a{sv} 8 "short" s "Allow host IPv6" "description" s "Allows basic IPv6 functionality for the host running firewalld." "target" s "CONTINUE" "masquerade" b false "rich_rules" as 4 "rule family=\"ipv6\" icmp-type name=\"neighbour-advertisement\" accept" "rule family=\"ipv6\" icmp-type name=\"neighbour-solicitation\" accept" "rule family=\"ipv6\" icmp-type name=\"router-advertisement\" accept" "rule family=\"ipv6\" icmp-type name=\"redirect\" accept" "priority" i -15000 "ingress_zones" as 1 "ANY" "egress_zones" as 1 "HOST"' 10 egress_zones 'as' 1 'HOST' forward_ports 'a(ssss)' 0 icmp_blocks 'as' 0 ingress_zones 'as' 1 'ANY' ports 'a(ss)' 0 protocols 'as' 0 rich_rules 'as' 4 'rule family="ipv6" icmp-type name="neighbour-advertisement" accept' 'rule family="ipv6" icmp-type name="neighbour-solicitation" accept' 'rule family="ipv6" icmp-type name="router-advertisement" accept' 'rule family="ipv6" icmp-type name="redirect" accept' services 'as' 0 source_ports 'a(ss)' 0 masquerade b 'false' || return
	$1 policy getPolicySettings setPolicySettings 'btplan-cabin' 'a{sv} 8 "short" s "btplan" "description" s "Opened by btplan, which keeps account here. btplan:cabin:other udp 7000-7001" "target" s "CONTINUE" "masquerade" b false "rich_rules" as 1 "rule port port=\"7000-7001\" protocol=\"udp\" accept" "priority" i -100 "ingress_zones" as 1 "ANY" "egress_zones" as 1 "HOST"' 10 egress_zones 'as' 1 'HOST' forward_ports 'a(ssss)' 0 icmp_blocks 'as' 0 ingress_zones 'as' 1 'ANY' ports 'a(ss)' 0 protocols 'as' 0 rich_rules 'as' 1 'rule port port="7000-7001" protocol="udp" accept' services 'as' 0 source_ports 'a(ss)' 0 masquerade b 'false' || return
}
if ! [ -e left ] || [ "$(others show)" = "$(cat others)" ]; then
	bus call $fw $at $fw reload && others restore || return
	bus call $fw $at $fw.policy setPolicySettings 'sa{sv}' btplan-home 8 forward_ports 'a(ssss)' 0 icmp_blocks 'as' 0 ports 'a(ss)' 0 protocols 'as' 0 services 'as' 0 source_ports 'a(ss)' 0 masquerade b 'false' rich_rules 'as' 5 'rule family="ipv4" port port="7777" protocol="tcp" accept' 'rule family="ipv4" source address="203.0.113.7" port port="1" protocol="udp" accept' 'rule family="ipv6" source address="2001:db8::/32" port port="1" protocol="udp" accept' 'rule family="ipv6" source address="2001:db8::/32" port port="7777" protocol="tcp" accept' 'rule port port="6881-6889" protocol="tcp" accept' >/dev/null || return
	return
fi
bus call $fw $at $fw.policy setPolicySettings 'sa{sv}' btplan-home 1 rich_rules 'as' 5 'rule family="ipv4" port port="7777" protocol="tcp" accept' 'rule family="ipv4" source address="203.0.113.7" port port="1" protocol="udp" accept' 'rule family="ipv6" source address="2001:db8::/32" port port="1" protocol="udp" accept' 'rule family="ipv6" source address="2001:db8::/32" port port="7777" protocol="tcp" accept' 'rule port port="6881-6889" protocol="tcp" accept' >/dev/null 2>/dev/null
}
undo
