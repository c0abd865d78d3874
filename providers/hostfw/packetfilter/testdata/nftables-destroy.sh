nft -f - <<'END' || return
delete chain inet btplanhost_home generation_a53240bc70ed
delete table inet btplanhost_home
delete rule inet filter input handle 12
delete rule inet strict output handle 7
END
{
cat <<'END'
create table inet btplanhost_home
table inet btplanhost_home {
 set in { typeof meta l4proto . th dport; flags interval; elements = {
  tcp . 6881-6889 comment "btplan:home:bt/alice%20smith:71634b1f"
 }; }
 set in4 { typeof meta l4proto . th dport . ip saddr; flags interval; elements = {
  tcp . 7777 . 0.0.0.0/0 comment "btplan:home:other:5f6d4085",
  udp . 1 . 203.0.113.7/32 comment "btplan:home:bt/alice%20smith:71634b1f"
 }; }
 set in6 { typeof meta l4proto . th dport . ip6 saddr; flags interval; elements = {
  tcp . 7777 . 2001:db8::/32 comment "btplan:home:other:5f6d4085",
  udp . 1 . 2001:db8::/32 comment "btplan:home:bt/alice%20smith:71634b1f"
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
 }
 chain generation_a53240bc70ed { }
}
END
nft -a list chain inet filter input 2>/dev/null | grep -q ' comment "btplan:hook:home" # handle' || echo 'insert rule inet filter input meta mark and 0x10000000 == 0x10000000 accept comment "btplan:hook:home"'
nft -a list chain inet strict output 2>/dev/null | grep -q ' comment "btplan:hook:home" # handle' || echo 'insert rule inet strict output meta mark and 0x10000000 == 0x10000000 accept comment "btplan:hook:home"'
} | nft -f - || return 79
