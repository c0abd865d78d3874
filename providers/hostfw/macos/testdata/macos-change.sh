appfw=$(command -v socketfilterfw || echo /usr/libexec/ApplicationFirewall/socketfilterfw)
cat >new <<'END' || return
# The rules of btplan's project home, as pf.conf(5) has them. btplan changes them back.
# btplan let in by the application firewall: /Applications/It's a client.app
pass in quick proto tcp from any to any port 6881:6889 label "btplan:a1c27b63" # btplan:home:bt/alice%20smith d26f8609
pass in quick inet proto udp from 203.0.113.0/24 to any port 7:7 label "btplan:a1c27b63" # btplan:home:bt/alice%20smith d26f8609
pass in quick inet6 proto udp from any to any port 7:7 label "btplan:a1c27b63" # btplan:home:bt/alice%20smith d26f8609
END
pfctl -q -n -a com.apple/btplan-home -f new || return
mkdir -p /etc/btplan || return
cat new >/etc/btplan/home.pf || return
pfctl -q -a com.apple/btplan-home -f /etc/btplan/home.pf || return
cat >/var/lib/LaunchDaemons/btplan.home.plist <<'END' || return
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>Label</key>
	<string>btplan.home</string>
	<key>ProgramArguments</key>
	<array>
		<string>/sbin/pfctl</string>
		<string>-q</string>
		<string>-a</string>
		<string>com.apple/btplan-home</string>
		<string>-f</string>
		<string>/etc/btplan/home.pf</string>
	</array>
	<key>RunAtLoad</key>
	<true/>
</dict>
</plist>
END
chmod 644 /var/lib/LaunchDaemons/btplan.home.plist || return
