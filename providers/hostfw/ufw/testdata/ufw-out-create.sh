ufw prepend allow out proto tcp from any to any port 80,6969 comment 'btplan:home:machine.seedbox' >/dev/null || return
ufw prepend allow out proto udp from any to any port 6969 comment 'btplan:home:machine.seedbox' >/dev/null || return
ufw prepend allow proto tcp from any to any port 6969 comment 'btplan:home:bt/alice%20smith' >/dev/null || return
mkdir -p /etc/btplan || return
cat >/etc/btplan/home.ufw <<'END' || return
out tcp 80,6969 any btplan:home:machine.seedbox
out udp 6969 any btplan:home:machine.seedbox
tcp 6969 any btplan:home:bt/alice%20smith
END
cat /etc/ufw/ufw.conf /etc/default/ufw /etc/ufw/user.rules /etc/ufw/user6.rules >left || return
