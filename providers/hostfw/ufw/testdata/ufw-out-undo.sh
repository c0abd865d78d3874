files() { cat /etc/ufw/ufw.conf /etc/default/ufw /etc/ufw/user.rules /etc/ufw/user6.rules; }
ours() { grep ' comment=6274706c616e3a686f6d653a'; }
if ! [ -e left ] || [ "$(files)" = "$(cat left)" ]; then
	cat user.rules >/etc/ufw/user.rules
	cat user6.rules >/etc/ufw/user6.rules
	iptables-restore -w -n </etc/ufw/user.rules
	ip6tables-restore -w -n </etc/ufw/user6.rules
elif [ "$(files | ours)" = "$(ours <left)" ]; then
	:
	ufw prepend allow out proto tcp from any to any port 6969 comment 'btplan:home:machine.seedbox' >/dev/null
	ufw delete allow proto tcp from any to any port 6969 >/dev/null
	ufw delete allow out proto udp from any to any port 6969 >/dev/null
	ufw delete allow out proto tcp from any to any port 80,6969 >/dev/null
else
	return 79
fi
mkdir -p /etc/btplan || return
cat >/etc/btplan/home.ufw <<'END' || return
out tcp 6969 any btplan:home:machine.seedbox
END
