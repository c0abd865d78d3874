package config

import (
	"fmt"

	"github.com/btplan/btplan/plan"
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// maxInstances is how many instances a block may have: more than there are
// ports in either protocol can't be meant.
const maxInstances = 2 * 65535

// instance is one instance of a block: the only one, or one of those that
// for_each or count make.
type instance struct {
	addr plan.Addr
	ctx  *hcl.EvalContext
	// dry: it stands for instances that nobody knows, because for_each or
	// count is mistaken or gives none. It is evaluated, so that mistakes in
	// the block are found, and then dropped.
	dry bool
}

// instances works out the instances of a block. They are not known if
// for_each or count can't be made out.
func (l *loader) instances(n *node) (list []instance, known bool) {
	b, ctx := n.block, l.scope(n)
	switch b.repetition() {
	case "for_each":
		list, known = l.forEach(n, ctx)
	case "count":
		list, known = l.count(n, ctx)
	default:
		return []instance{{addr: b.addr, ctx: ctx}}, true
	}
	if len(list) == 0 {
		child := ctx.NewChild()
		child.Functions = ctx.Functions
		child.Variables = map[string]cty.Value{rootEach: cty.DynamicVal, rootCount: cty.DynamicVal}
		list = []instance{{addr: b.addr, ctx: child, dry: true}}
	}
	return list, known
}

// repeated is one instance, with what each or count is in it.
func repeated(n *node, ctx *hcl.EvalContext, key plan.Key, root string, value cty.Value) instance {
	if n.wrong[root] {
		value = cty.DynamicVal
	}
	child := ctx.NewChild()
	// HCL takes its suggestions for functions from the innermost context.
	child.Functions = ctx.Functions
	child.Variables = map[string]cty.Value{root: value}
	addr := n.block.addr
	addr.Key = key
	return instance{addr: addr, ctx: child}
}

func (l *loader) forEach(n *node, ctx *hcl.EvalContext) ([]instance, bool) {
	attr := n.block.attrs["for_each"]
	v, ok := l.value(attr.Expr, ctx)
	if !ok {
		return nil, false
	}
	if detail := forEachMistake(v); detail != "" {
		l.fail(attr.Expr.Range(), "Invalid for_each", "%s", detail)
		return nil, false
	}
	if !v.IsKnown() {
		return nil, false
	}
	list := make([]instance, 0, v.LengthInt())
	for it := v.ElementIterator(); it.Next(); {
		key, value := it.Element()
		if v.Type().IsSetType() {
			// A set's key is the element itself.
			if key.IsNull() {
				l.fail(attr.Expr.Range(), "Invalid for_each", "The set in for_each holds a null, which can't name an instance.")
				return nil, false
			}
			if !key.IsKnown() {
				return nil, false
			}
		}
		each := cty.ObjectVal(map[string]cty.Value{"key": key, "value": value})
		list = append(list, repeated(n, ctx, plan.TextKey(key.AsString()), rootEach, each))
	}
	return list, true
}

// forEachMistake says why a value is not fit for for_each.
func forEachMistake(v cty.Value) string {
	ty := v.Type()
	switch {
	case v.IsMarked():
		return "The value of for_each is sensitive, but its keys become part of addresses, which plans and devices show. If they may be shown, wrap it: nonsensitive(...)."
	case v.IsNull():
		return "The value of for_each is null. For no instances, use an empty map: {}."
	case ty == cty.DynamicPseudoType, ty.IsMapType(), ty.IsObjectType():
	case ty.IsSetType() && (ty.ElementType() == cty.String || ty.ElementType() == cty.DynamicPseudoType):
	case ty.IsListType(), ty.IsTupleType():
		return fmt.Sprintf("for_each takes a map or a set of strings, but this is %s. If its elements are strings that differ, wrap it: toset(...).", friendly(v))
	default:
		return fmt.Sprintf("for_each takes a map or a set of strings, but this is %s.", friendly(v))
	}
	if v.IsKnown() && ty != cty.DynamicPseudoType && v.LengthInt() > maxInstances {
		return fmt.Sprintf("for_each makes %d instances; at most %d are possible.", v.LengthInt(), maxInstances)
	}
	return ""
}

func (l *loader) count(n *node, ctx *hcl.EvalContext) ([]instance, bool) {
	attr := n.block.attrs["count"]
	v, ok := l.value(attr.Expr, ctx)
	if !ok {
		return nil, false
	}
	if v.IsMarked() {
		l.fail(attr.Expr.Range(), "Invalid count", "The value of count is sensitive, but the number of instances is plain to see. If it may be shown, wrap it: nonsensitive(...).")
		return nil, false
	}
	num, err := convert.Convert(v, cty.Number)
	if err != nil || num.IsNull() {
		l.fail(attr.Expr.Range(), "Invalid count", "count takes a whole number, but this is %s.", friendly(v))
		return nil, false
	}
	if !num.IsKnown() {
		return nil, false
	}
	many, whole := wholeNumber(num)
	if !whole || many < 0 || many > maxInstances {
		l.fail(attr.Expr.Range(), "Invalid count", "count takes a whole number from 0 to %d, but this is %s.", maxInstances, number(num))
		return nil, false
	}
	list := make([]instance, 0, many)
	for i := range many {
		index := cty.ObjectVal(map[string]cty.Value{"index": cty.NumberIntVal(int64(i))})
		list = append(list, repeated(n, ctx, plan.NumKey(i), rootCount, index))
	}
	return list, true
}

// whole is what references to a block get: an object, or a map or list of
// them by for_each's keys or count's numbers. The objects are those of its
// instances, in their order.
func whole(b *block, list []instance, objects []cty.Value) cty.Value {
	repetition := b.repetition()
	if repetition == "" {
		return objects[0]
	}
	alike := true // gateways of some types may differ in the types of their attributes
	for _, o := range objects {
		alike = alike && o.Type().Equals(objects[0].Type())
	}
	if repetition == "count" {
		switch {
		case len(objects) == 0:
			return cty.EmptyTupleVal
		case alike:
			return cty.ListVal(objects)
		}
		return cty.TupleVal(objects)
	}
	byKey := make(map[string]cty.Value, len(objects))
	for i, o := range objects {
		byKey[list[i].addr.Key.Value().(string)] = o
	}
	switch {
	case len(objects) == 0:
		return cty.EmptyObjectVal
	case alike:
		return cty.MapVal(byKey)
	}
	return cty.ObjectVal(byKey)
}

// identity are the attributes by which every block's object tells what it is:
// id is the address.
func identity(addr plan.Addr) map[string]cty.Value {
	key := cty.NullVal(cty.String)
	switch k := addr.Key.Value().(type) {
	case string:
		key = cty.StringVal(k)
	case int:
		key = cty.NumberIntVal(int64(k))
	}
	return map[string]cty.Value{
		"id":   cty.StringVal(addr.String()),
		"name": cty.StringVal(addr.Name),
		"key":  key,
	}
}

// build makes the value of a node from its instances, or leaves that for when it
// is asked for. one gives the object of the instance at that place of the list.
func (n *node) build(list []instance, known bool, one func(i int) map[string]cty.Value) {
	if !known {
		return
	}
	n.late = func() cty.Value {
		objects := make([]cty.Value, 0, len(list))
		for i, inst := range list {
			if inst.dry {
				continue
			}
			attrs := identity(inst.addr)
			for name, v := range one(i) {
				attrs[name] = v
			}
			objects = append(objects, cty.ObjectVal(attrs))
		}
		return whole(n.block, list, objects)
	}
	// Nobody may ask for it, and ten thousand objects take their time.
	if n.referenced {
		n.complete()
	}
}
