package config

import (
	"fmt"
	"math/big"
	"net"

	"github.com/apparentlymart/go-cidr/cidr"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/gocty"
)

var prefixParam = function.Parameter{Name: "prefix", Type: cty.String}

// cidrHostFunc is cidrhost(prefix, hostnum): an address in a network by its
// number, from the end if that is negative.
var cidrHostFunc = function.New(&function.Spec{
	Params: []function.Parameter{prefixParam, {Name: "hostnum", Type: cty.Number}},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		network, err := parseNetwork(args[0])
		if err != nil {
			return cty.NilVal, err
		}
		var num *big.Int
		if err := gocty.FromCtyValue(args[1], &num); err != nil {
			return cty.NilVal, function.NewArgError(1, err)
		}
		ip, err := cidr.HostBig(network, num)
		if err != nil {
			return cty.NilVal, function.NewArgError(1, err)
		}
		return cty.StringVal(ip.String()), nil
	},
})

// cidrNetmaskFunc is cidrnetmask(prefix): 255.255.255.0 for a /24.
var cidrNetmaskFunc = function.New(&function.Spec{
	Params: []function.Parameter{prefixParam},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		network, err := parseNetwork(args[0])
		if err != nil {
			return cty.NilVal, err
		}
		if network.IP.To4() == nil {
			return cty.NilVal, function.NewArgErrorf(0, "an IPv6 network has no netmask")
		}
		return cty.StringVal(net.IP(network.Mask).String()), nil
	},
})

// cidrSubnetFunc is cidrsubnet(prefix, newbits, netnum): a part of a network
// by its number.
var cidrSubnetFunc = function.New(&function.Spec{
	Params: []function.Parameter{prefixParam, {Name: "newbits", Type: cty.Number}, {Name: "netnum", Type: cty.Number}},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		network, err := parseNetwork(args[0])
		if err != nil {
			return cty.NilVal, err
		}
		bits, err := newBits(args[1], network, 0)
		if err != nil {
			return cty.NilVal, function.NewArgError(1, err)
		}
		var num *big.Int
		if err := gocty.FromCtyValue(args[2], &num); err != nil {
			return cty.NilVal, function.NewArgError(2, err)
		}
		if num.Sign() < 0 {
			return cty.NilVal, function.NewArgErrorf(2, "must not be negative")
		}
		subnet, err := cidr.SubnetBig(network, bits, num)
		if err != nil {
			return cty.NilVal, function.NewArgError(2, err)
		}
		return cty.StringVal(subnet.String()), nil
	},
})

// cidrSubnetsFunc is cidrsubnets(prefix, newbits...): neighbouring parts of a
// network, one for each argument.
var cidrSubnetsFunc = function.New(&function.Spec{
	Params:   []function.Parameter{prefixParam},
	VarParam: &function.Parameter{Name: "newbits", Type: cty.Number},
	Type:     function.StaticReturnType(cty.List(cty.String)),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		network, err := parseNetwork(args[0])
		if err != nil {
			return cty.NilVal, err
		}
		var out []cty.Value
		var last *net.IPNet
		length, _ := network.Mask.Size()
		for i, arg := range args[1:] {
			bits, err := newBits(arg, network, 1)
			if err != nil {
				return cty.NilVal, function.NewArgError(i+1, err)
			}
			if last == nil {
				last, err = cidr.Subnet(network, bits, 0)
				if err != nil {
					return cty.NilVal, function.NewArgError(i+1, err)
				}
			} else {
				next, overflow := cidr.NextSubnet(last, length+bits)
				if overflow || !network.Contains(next.IP) {
					return cty.NilVal, function.NewArgErrorf(i+1, "not enough room is left in %s for a network of %d new bits", network, bits)
				}
				last = next
			}
			out = append(out, cty.StringVal(last.String()))
		}
		if len(out) == 0 {
			return cty.ListValEmpty(cty.String), nil
		}
		return cty.ListVal(out), nil
	},
})

func parseNetwork(v cty.Value) (*net.IPNet, error) {
	_, network, err := net.ParseCIDR(v.AsString())
	if err != nil {
		return nil, function.NewArgErrorf(0, "%q is not a network such as 192.168.1.0/24", v.AsString())
	}
	return network, nil
}

// newBits is by how many bits a prefix is to be extended.
func newBits(v cty.Value, network *net.IPNet, least int) (int, error) {
	var bits int
	if err := gocty.FromCtyValue(v, &bits); err != nil {
		return 0, err
	}
	length, all := network.Mask.Size()
	if bits < least || bits > all-length {
		return 0, fmt.Errorf("%s can be extended by %d to %d bits, not by %d", network, least, all-length, bits)
	}
	return bits, nil
}
