{
cat <<'END'
delete chain inet btplanhost_home generation_00000000000b
flush chain inet btplanhost_home let_in
flush chain inet btplanhost_home let_out
delete element inet btplanhost_home in {
 tcp . 6881-6889
}
delete element inet btplanhost_home in4 {
 udp . 6881 . 203.0.113.0/24
}
delete element inet btplanhost_home in6 {
 udp . 6881 . 2001:db8::/32
}
delete set inet btplanhost_home out
table inet btplanhost_home {
 chain let_in { }
 chain let_out { }
 chain let_in {
  meta l4proto . th dport @in meta mark set meta mark or 0x10000000 comment "btplan:in"
  meta l4proto . th dport . ip saddr @in4 meta mark set meta mark or 0x10000000 comment "btplan:in4"
  meta l4proto . th dport . ip6 saddr @in6 meta mark set meta mark or 0x10000000 comment "btplan:in6"
 }
 chain let_out {
  ct direction reply meta l4proto . th sport @in meta mark set meta mark or 0x10000000 comment "btplan:in-reply"
  ct direction reply meta l4proto . th sport . ip daddr @in4 meta mark set meta mark or 0x10000000 comment "btplan:in4-reply"
  ct direction reply meta l4proto . th sport . ip6 daddr @in6 meta mark set meta mark or 0x10000000 comment "btplan:in6-reply"
 }
 chain generation_a53240bc70ed { }
}
add element inet btplanhost_home in {
 tcp . 6881-6889 comment "btplan:home:bt/alice%20smith:71634b1f"
}
add element inet btplanhost_home in4 {
 tcp . 7777 . 0.0.0.0/0 comment "btplan:home:other:5f6d4085",
 udp . 1 . 203.0.113.7/32 comment "btplan:home:bt/alice%20smith:71634b1f"
}
add element inet btplanhost_home in6 {
 tcp . 7777 . 2001:db8::/32 comment "btplan:home:other:5f6d4085",
 udp . 1 . 2001:db8::/32 comment "btplan:home:bt/alice%20smith:71634b1f"
}
END
nft -a list chain inet filter input 2>/dev/null | grep -q ' comment "btplan:hook:home" # handle' || echo 'insert rule inet filter input meta mark and 0x10000000 == 0x10000000 accept comment "btplan:hook:home"'
nft -a list chain inet strict output 2>/dev/null | grep -q ' comment "btplan:hook:home" # handle' || echo 'insert rule inet strict output meta mark and 0x10000000 == 0x10000000 accept comment "btplan:hook:home"'
} | nft -f - || return 79
