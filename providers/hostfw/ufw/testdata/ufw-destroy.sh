ufw delete allow proto tcp from any to any port 6881:6889 >/dev/null || return
rm -f /etc/btplan/home.ufw || return
rmdir /etc/btplan 2>/dev/null || :
cat /etc/ufw/ufw.conf /etc/default/ufw /etc/ufw/user.rules /etc/ufw/user6.rules >left || return
