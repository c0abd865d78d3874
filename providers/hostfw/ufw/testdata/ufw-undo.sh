files() { cat /etc/ufw/ufw.conf /etc/default/ufw /etc/ufw/user.rules /etc/ufw/user6.rules; }
ours() { grep ' comment=6274706c616e3a686f6d653a'; }
if ! [ -e left ] || [ "$(files)" = "$(cat left)" ]; then
	cat user.rules >/etc/ufw/user.rules
	cat user6.rules >/etc/ufw/user6.rules
	iptables-restore -w -n </etc/ufw/user.rules
	ip6tables-restore -w -n </etc/ufw/user6.rules
elif [ "$(files | ours)" = "$(ours <left)" ]; then
	:
	ufw prepend allow proto tcp from any to any port 6881:6889 comment 'btplan:home:bt/alice%20smith' >/dev/null
else
	return 79
fi
mkdir -p /etc/btplan || return
cat >/etc/btplan/home.ufw <<'END' || return
tcp 6881:6889 any btplan:home:bt/alice%20smith
END
