module github.com/btplan/btplan/internal/powershell/grammar

go 1.26.0

require (
	github.com/airbus-cert/tree-sitter-powershell v0.25.10
	github.com/tree-sitter/go-tree-sitter v0.25.0
)

require github.com/mattn/go-pointer v0.0.1 // indirect
