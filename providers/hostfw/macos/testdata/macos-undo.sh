appfw=$(command -v socketfilterfw || echo /usr/libexec/ApplicationFirewall/socketfilterfw)
"$appfw" --add '/Applications/It'\''s a client.app' >/dev/null
"$appfw" --unblockapp '/Applications/It'\''s a client.app' >/dev/null
if [ -e file ]; then
	mkdir -p /etc/btplan
	cp -p file /etc/btplan/home.pf
	pfctl -q -a com.apple/btplan-home -f /etc/btplan/home.pf
else
	rm -f /etc/btplan/home.pf
	rmdir /etc/btplan 2>/dev/null
	pfctl -q -a com.apple/btplan-home -F rules 2>/dev/null
fi
if [ -e plist ]; then cp -p plist /var/lib/LaunchDaemons/btplan.home.plist; else rm -f /var/lib/LaunchDaemons/btplan.home.plist; fi
