ufw delete allow proto tcp from any to any port 6881:6889 >/dev/null || return
ufw prepend allow proto tcp from any to any port 6881:6889 comment 'btplan:home:bt/alice%20smith' >/dev/null || return
mkdir -p /etc/btplan || return
cat >/etc/btplan/home.ufw <<'END' || return
tcp 6881:6889 any btplan:home:bt/alice%20smith
END
cat /etc/ufw/ufw.conf /etc/default/ufw /etc/ufw/user.rules /etc/ufw/user6.rules >left || return
