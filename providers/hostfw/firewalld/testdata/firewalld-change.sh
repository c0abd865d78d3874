fw=org.fedoraproject.FirewallD1
at=/org/fedoraproject/FirewallD1
bus() { busctl --system --auto-start=no --timeout=60 "$@" </dev/null; }
ours() {
	cat /etc/firewalld/policies/btplan-home.xml
	for name in btplan-home; do
		bus call $fw $at $fw.policy getPolicySettings s $name | sed 's/.*"target"/"target"/; s/ "/\n"/g' | sort
	done
} 2>/dev/null
[ -d /etc/firewalld/policies ] || mkdir -p /etc/firewalld/policies || return
(umask 022 && cat >/etc/firewalld/policies/btplan-home.xml.new) <<'END' || return
<?xml version="1.0" encoding="utf-8"?>
<policy target="CONTINUE" priority="-100">
  <short>btplan</short>
  <description>Opened by btplan, which keeps account here. btplan:home:bt/alice%20smith tcp 6881-6999; btplan:home:bt/alice%20smith udp 6881 203.0.113.7/32</description>
  <ingress-zone name="ANY"/>
  <egress-zone name="HOST"/>
  <rule family="ipv4"><source address="203.0.113.7"/><port port="6881" protocol="udp"/><accept/></rule>
  <rule><port port="6881-6999" protocol="tcp"/><accept/></rule>
</policy>
END
mv /etc/firewalld/policies/btplan-home.xml.new /etc/firewalld/policies/btplan-home.xml || return
bus call $fw $at $fw.policy setPolicySettings 'sa{sv}' btplan-home 1 rich_rules 'as' 7 'rule family="ipv4" port port="7777" protocol="tcp" accept' 'rule family="ipv4" source address="203.0.113.7" port port="1" protocol="udp" accept' 'rule family="ipv6" source address="2001:db8::/32" port port="1" protocol="udp" accept' 'rule family="ipv6" source address="2001:db8::/32" port port="7777" protocol="tcp" accept' 'rule port port="6881-6889" protocol="tcp" accept' 'rule family="ipv4" source address="203.0.113.7" port port="6881" protocol="udp" accept' 'rule port port="6881-6999" protocol="tcp" accept' >/dev/null || return
bus call $fw $at $fw.policy setPolicySettings 'sa{sv}' btplan-home 1 rich_rules 'as' 2 'rule family="ipv4" source address="203.0.113.7" port port="6881" protocol="udp" accept' 'rule port port="6881-6999" protocol="tcp" accept' >/dev/null || return
ours >left || return
