ufw allow proto tcp from any to any port 6881:6889 comment 'btplan:home:other' >/dev/null || return
mkdir -p /etc/btplan || return
cat >/etc/btplan/home.ufw <<'END' || return
tcp 6881:6889 any btplan:home:other
END
cat /etc/ufw/ufw.conf /etc/default/ufw /etc/ufw/user.rules /etc/ufw/user6.rules >left || return
