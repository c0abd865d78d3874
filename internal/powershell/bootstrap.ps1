# Runs the script that comes on the standard input, up to a line that says
# ":data", with what comes after it as its argument. $input, not the console, is
# where powershell.exe hands on its standard input. What fails is told as plain
# text: left to itself, powershell.exe writes XML.
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
try {
    $script, $data = (@($input) -join "`n") -split "`n:data`n", 2
    & ([ScriptBlock]::Create($script)) $data
} catch {
    [Console]::Error.WriteLine("$_ [$($_.FullyQualifiedErrorId)]")
    exit 1
}
