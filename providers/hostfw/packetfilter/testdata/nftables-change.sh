nft -f - <<'END' || return
delete chain inet btplanhost_home generation_a53240bc70ed
flush chain inet btplanhost_home let_in
flush chain inet btplanhost_home let_out
delete element inet btplanhost_home in {
 tcp . 6881-6889
}
delete element inet btplanhost_home in4 {
 tcp . 7777 . 0.0.0.0/0,
 udp . 1 . 203.0.113.7/32
}
delete element inet btplanhost_home in6 {
 tcp . 7777 . 2001:db8::/32,
 udp . 1 . 2001:db8::/32
}
table inet btplanhost_home {
 set out { typeof meta l4proto . th dport; flags interval; elements = {
  tcp . 6969 comment "btplan:home:machine.seedbox:f411b646"
 }; }
 chain let_in { }
 chain let_out { }
 chain let_in {
  meta l4proto . th dport @in meta mark set meta mark or 0x10000000 comment "btplan:in"
  meta l4proto . th dport . ip saddr @in4 meta mark set meta mark or 0x10000000 comment "btplan:in4"
  meta l4proto . th dport . ip6 saddr @in6 meta mark set meta mark or 0x10000000 comment "btplan:in6"
  ct direction reply meta l4proto . th sport @out meta mark set meta mark or 0x10000000 comment "btplan:out-reply"
 }
 chain let_out {
  ct direction reply meta l4proto . th sport @in meta mark set meta mark or 0x10000000 comment "btplan:in-reply"
  ct direction reply meta l4proto . th sport . ip daddr @in4 meta mark set meta mark or 0x10000000 comment "btplan:in4-reply"
  ct direction reply meta l4proto . th sport . ip6 daddr @in6 meta mark set meta mark or 0x10000000 comment "btplan:in6-reply"
  meta l4proto . th dport @out meta mark set meta mark or 0x10000000 comment "btplan:out"
 }
 chain generation_00000000000b { }
}
add element inet btplanhost_home in {
 tcp . 6881-6889 comment "btplan:home:bt/alice%20smith:ea3b9a71"
}
add element inet btplanhost_home in4 {
 udp . 6881 . 203.0.113.0/24 comment "btplan:home:bt/alice%20smith:ea3b9a71"
}
add element inet btplanhost_home in6 {
 udp . 6881 . 2001:db8::/32 comment "btplan:home:bt/alice%20smith:ea3b9a71"
}
END
