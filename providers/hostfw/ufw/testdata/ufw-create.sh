ufw prepend allow proto tcp from any to any port 6881:6889 comment 'btplan:home:bt/alice%20smith' >/dev/null || return
ufw prepend allow proto udp from any to any port 6881 comment 'btplan:home:bt/alice%20smith' >/dev/null || return
ufw prepend allow proto tcp from 192.168.1.0/24 to any port 9091 comment 'btplan:home:other' >/dev/null || return
ufw prepend allow proto tcp from fd00::/8 to any port 9091 comment 'btplan:home:other' >/dev/null || return
mkdir -p /etc/btplan || return
cat >/etc/btplan/home.ufw <<'END' || return
tcp 6881:6889 any btplan:home:bt/alice%20smith
udp 6881 any btplan:home:bt/alice%20smith
tcp 9091 192.168.1.0/24 btplan:home:other
tcp 9091 fd00::/8 btplan:home:other
END
cat /etc/ufw/ufw.conf /etc/default/ufw /etc/ufw/user.rules /etc/ufw/user6.rules >left || return
