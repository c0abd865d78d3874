#!/bin/sh
# Made by btplan for its project home, which will write it again: don't edit.
PATH=$PATH:/usr/sbin:/sbin LC_ALL=C
export PATH LC_ALL
[ -d /run ] || mkdir /run
if command -v flock >/dev/null && { true >>/run/btplan.lock; } 2>/dev/null; then
	exec 9>>/run/btplan.lock
	flock 9
fi
load() {
nft -f - <<'END' || return
add table inet btplanhost_home
delete table inet btplanhost_home
table inet btplanhost_home {
 set in { typeof meta l4proto . th dport; flags interval; elements = {
  tcp . 6881-6889 comment "btplan:home:bt/alice%20smith:ea3b9a71"
 }; }
 set in4 { typeof meta l4proto . th dport . ip saddr; flags interval; elements = {
  udp . 6881 . 203.0.113.0/24 comment "btplan:home:bt/alice%20smith:ea3b9a71"
 }; }
 set in6 { typeof meta l4proto . th dport . ip6 saddr; flags interval; elements = {
  udp . 6881 . 2001:db8::/32 comment "btplan:home:bt/alice%20smith:ea3b9a71"
 }; }
 set out { typeof meta l4proto . th dport; flags interval; elements = {
  tcp . 6969 comment "btplan:home:machine.seedbox:f411b646"
 }; }
 chain input_first { type filter hook input priority -1000; policy accept; }
 chain input { type filter hook input priority -10; policy accept; }
 chain let_in { }
 chain output_first { type filter hook output priority -1000; policy accept; }
 chain output { type filter hook output priority -10; policy accept; }
 chain let_out { }
 chain input_first {
  jump let_in comment "btplan:mark-first"
 }
 chain input {
  jump let_in comment "btplan:mark-again"
 }
 chain let_in {
  meta l4proto . th dport @in meta mark set meta mark or 0x10000000 comment "btplan:in"
  meta l4proto . th dport . ip saddr @in4 meta mark set meta mark or 0x10000000 comment "btplan:in4"
  meta l4proto . th dport . ip6 saddr @in6 meta mark set meta mark or 0x10000000 comment "btplan:in6"
  ct direction reply meta l4proto . th sport @out meta mark set meta mark or 0x10000000 comment "btplan:out-reply"
 }
 chain output_first {
  jump let_out comment "btplan:mark-first"
 }
 chain output {
  jump let_out comment "btplan:mark-again"
 }
 chain let_out {
  ct direction reply meta l4proto . th sport @in meta mark set meta mark or 0x10000000 comment "btplan:in-reply"
  ct direction reply meta l4proto . th sport . ip daddr @in4 meta mark set meta mark or 0x10000000 comment "btplan:in4-reply"
  ct direction reply meta l4proto . th sport . ip6 daddr @in6 meta mark set meta mark or 0x10000000 comment "btplan:in6-reply"
  meta l4proto . th dport @out meta mark set meta mark or 0x10000000 comment "btplan:out"
 }
 chain generation_00000000000b { }
}
END
nft -a list chain inet filter input 2>/dev/null | grep -q ' comment "btplan:hook:home" # handle' || nft 'insert rule inet filter input meta mark and 0x10000000 == 0x10000000 accept comment "btplan:hook:home"' 2>/dev/null
nft -a list chain inet strict output 2>/dev/null | grep -q ' comment "btplan:hook:home" # handle' || nft 'insert rule inet strict output meta mark and 0x10000000 == 0x10000000 accept comment "btplan:hook:home"' 2>/dev/null
}
load
