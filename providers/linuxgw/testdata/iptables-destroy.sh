{
echo '*filter'
echo '-X BTPLAN-4ea14058-00000000000a'
iptables-legacy-save -t filter | sed -n -e '/^:BTPLAN-4ea14058-00000000000a /d' -e 's/^:\(BTPLAN-4ea14058-[^ ]*\) .*/-X \1/p' -e 's/^-A \(.* -[gj] BTPLAN-[A-Z]*-home\)$/-D \1/p'
cat <<'END'
:BTPLAN-FWD-home - [0:0]
-X BTPLAN-FWD-home
COMMIT
END
} | iptables-legacy-restore -w --noflush || return
{
echo '*nat'
echo '-X BTPLAN-4ea14058-00000000000a'
iptables-legacy-save -t nat | sed -n -e '/^:BTPLAN-4ea14058-00000000000a /d' -e 's/^:\(BTPLAN-4ea14058-[^ ]*\) .*/-X \1/p' -e 's/^-A \(.* -[gj] BTPLAN-[A-Z]*-home\)$/-D \1/p'
cat <<'END'
:BTPLAN-PRE-home - [0:0]
:BTPLAN-DNAT-home - [0:0]
:BTPLAN-POST-home - [0:0]
-X BTPLAN-PRE-home
-X BTPLAN-DNAT-home
-X BTPLAN-POST-home
COMMIT
END
} | iptables-legacy-restore -w --noflush || return
