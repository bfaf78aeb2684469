package words

import (
	"html"
	"strings"
	"text/template/parse"
)

// Settle writes what a template says in one language into the template, once
// and for all: `.Lang`, `.T` and `.H` of a key, and the fields named in
// constants. Values inside a text become fields of the template; what is left to
// work out for each page is what differs from page to page. Texts are escaped for
// HTML.
func (l *Language) Settle(tree *parse.Tree, constants map[string]string) {
	if tree != nil && tree.Root != nil {
		l.settle(tree.Root, &settling{constants, true})
	}
}

type settling struct {
	constants map[string]string
	top       bool // the dot is the page itself, not an element of a list
}

func (s *settling) within() *settling { return &settling{s.constants, false} }

func (l *Language) settle(list *parse.ListNode, s *settling) {
	if list == nil {
		return
	}
	nodes := list.Nodes
	list.Nodes = nil
	for _, node := range nodes {
		switch n := node.(type) {
		case *parse.ActionNode:
			if settled, ok := l.action(n, s); ok {
				list.Nodes = append(list.Nodes, settled...)
				continue
			}
		case *parse.IfNode:
			l.settle(n.List, s)
			l.settle(n.ElseList, s)
		case *parse.RangeNode:
			l.settle(n.List, s.within())
			l.settle(n.ElseList, s)
		case *parse.WithNode:
			l.settle(n.List, s.within())
			l.settle(n.ElseList, s)
		}
		list.Nodes = append(list.Nodes, node)
	}
}

// action returns what stands for an action: its text, cut at the values in it.
func (l *Language) action(n *parse.ActionNode, s *settling) ([]parse.Node, bool) {
	if len(n.Pipe.Cmds) != 1 || len(n.Pipe.Decl) > 0 {
		return nil, false
	}
	args := n.Pipe.Cmds[0].Args
	name := pathOf(args[0], s.top)
	if len(args) == 1 {
		text, ok := s.constants[name]
		if name == "Lang" {
			text, ok = l.Lang, true
		}
		return []parse.Node{textNode(n.Pos, html.EscapeString(text))}, ok
	}
	key, ok := args[1].(*parse.StringNode)
	if !ok || name != "T" && name != "H" {
		return nil, false
	}
	m, ok := l.messages[key.Text]
	if !ok {
		return nil, false
	}
	var nodes []parse.Node
	before, after := "", ""
	if name == "H" {
		before, after = "<bdi>", "</bdi>"
	}
	for i, part := range m {
		if i%2 == 0 {
			nodes = append(nodes, textNode(n.Pos, html.EscapeString(part)))
			continue
		}
		value := argument(args[2:], part)
		if value == nil {
			return nil, false
		}
		nodes = append(nodes, textNode(n.Pos, before), fieldNode(n, value), textNode(n.Pos, after))
	}
	return nodes, true
}

// argument finds the value of a name among pairs of name and value.
func argument(pairs []parse.Node, name string) parse.Node {
	for i := 0; i+1 < len(pairs); i += 2 {
		if s, ok := pairs[i].(*parse.StringNode); ok && s.Text == name {
			return pairs[i+1]
		}
	}
	return nil
}

func textNode(pos parse.Pos, text string) parse.Node {
	return &parse.TextNode{NodeType: parse.NodeText, Pos: pos, Text: []byte(text)}
}

// fieldNode is an action that shows a value, made after the action like.
func fieldNode(like *parse.ActionNode, value parse.Node) parse.Node {
	n := like.Copy().(*parse.ActionNode)
	if pipe, ok := value.(*parse.PipeNode); ok {
		n.Pipe = pipe.CopyPipe()
		return n
	}
	n.Pipe.Cmds[0].Args = []parse.Node{value.Copy()}
	return n
}

// pathOf is a field of the page, such as "Brand.Name", or "".
func pathOf(node parse.Node, top bool) string {
	switch n := node.(type) {
	case *parse.FieldNode:
		if top {
			return strings.Join(n.Ident, ".")
		}
	case *parse.VariableNode:
		if n.Ident[0] == "$" {
			return strings.Join(n.Ident[1:], ".")
		}
	}
	return ""
}
