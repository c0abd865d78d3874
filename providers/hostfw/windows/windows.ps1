# Prints, as one line of JSON in ASCII, what the firewall of Windows lets in and
# out, and what it does not. Where the argument, JSON too, has a digest to expect, it first makes
# a change of btplan's rules, which are those named btplan-*; and ends with 75,
# having changed nothing, if they are not those of which the digest was taken.
# It ends with 69 where Windows has no module NetSecurity.
param([string]$Json)

if (-not (Get-Command -Name New-NetFirewallRule -ErrorAction SilentlyContinue)) { exit 69 }
$want = ConvertFrom-Json -InputObject $Json

# A mutex is let go when its holder ends, however it ends.
$lock = New-Object -TypeName System.Threading.Mutex -ArgumentList $false, 'Global\btplan'
try {
    if (-not $lock.WaitOne(60000)) { throw 'another btplan has been changing this machine for a minute' }
} catch [System.Threading.AbandonedMutexException] {
    # It was killed, and the mutex is ours.
}

function ConvertTo-Ascii([object]$Value) {
    $text = ConvertTo-Json -InputObject $Value -Depth 5 -Compress
    [regex]::Replace($text, '[^ -~]', { param($match) '\u{0:x4}' -f [int][char]$match.Value })
}

# To ask for the filters of each rule would take minutes: they are fetched at
# once and joined. Rules for what the machine sends, of which there are hundreds,
# are of interest only where something is dropped of that, but for our own.
function Read-Rule([string]$Store, [string[]]$Source, [bool]$Outbound) {
    $rules = @(Get-NetFirewallRule -PolicyStore $Store | Where-Object -FilterScript {
            $Source -contains [string]$_.PolicyStoreSourceType -and
            ($Outbound -or ([string]$_.Direction) -eq 'Inbound' -or ([string]$_.InstanceID) -like 'btplan-*')
        })
    if ($rules.Count -eq 0) { return }
    $ports = @{}
    Get-NetFirewallPortFilter -PolicyStore $Store | ForEach-Object -Process { $ports[$_.InstanceID] = $_ }
    $addresses = @{}
    Get-NetFirewallAddressFilter -PolicyStore $Store | ForEach-Object -Process { $addresses[$_.InstanceID] = $_ }
    $programs = @{}
    Get-NetFirewallApplicationFilter -PolicyStore $Store | ForEach-Object -Process { $programs[$_.InstanceID] = $_ }
    $services = @{}
    Get-NetFirewallServiceFilter -PolicyStore $Store | ForEach-Object -Process { $services[$_.InstanceID] = $_ }
    $interfaces = @{}
    Get-NetFirewallInterfaceTypeFilter -PolicyStore $Store | ForEach-Object -Process { $interfaces[$_.InstanceID] = $_ }
    foreach ($rule in $rules) {
        $id = $rule.InstanceID
        [pscustomobject]@{
                name          = [string]$id
                display       = [string]$rule.DisplayName
                description   = [string]$rule.Description
                source        = [string]$rule.PolicyStoreSourceType
                direction     = [string]$rule.Direction
                enabled       = [string]$rule.Enabled
                action        = [string]$rule.Action
                profile       = [string]$rule.Profile
                protocol      = [string]$ports[$id].Protocol
                localPort     = @($ports[$id].LocalPort)
                remotePort    = @($ports[$id].RemotePort)
                localAddress  = @($addresses[$id].LocalAddress)
                remoteAddress = @($addresses[$id].RemoteAddress)
                program       = [string]$programs[$id].Program
                package       = [string]$programs[$id].Package
                service       = [string]$services[$id].Service
                interfaceType = [string]$interfaces[$id].InterfaceType
            }
    }
}

function Get-Digest([object[]]$Rules) {
    $own = @($Rules | Where-Object -FilterScript { $_.name -like 'btplan-*' } | Sort-Object -Property name)
    $bytes = [System.Text.Encoding]::ASCII.GetBytes((ConvertTo-Ascii $own))
    $sha = [System.Security.Cryptography.SHA256]::Create()
    [BitConverter]::ToString($sha.ComputeHash($bytes)).Replace('-', '').ToLower()
}

# A description is the owner's mark and, behind it, a seal. The seals of the
# rules that stay are taken off before anything else and put on at the end, so
# that a change that was cut short is not taken for somebody else's.
function Edit-Rule([object]$Change) {
    $added = @()
    try {
        foreach ($rule in $Change.keep) { Set-NetFirewallRule -Name $rule.name -Description $rule.open }
        foreach ($rule in $Change.add) {
            $settings = @{
                Name          = $rule.name
                DisplayName   = $rule.display
                Description   = $rule.open
                Group         = 'btplan'
                Direction     = $rule.direction
                Action        = 'Allow'
                Profile       = 'Any'
                Protocol      = $rule.protocol
                RemoteAddress = @($rule.sources)
            }
            if ($rule.direction -eq 'Outbound') {
                $settings['RemotePort'] = @($rule.ports)
            } else {
                $settings['LocalPort'] = @($rule.ports)
            }
            if ($rule.program) { $settings['Program'] = $rule.program }
            [void](New-NetFirewallRule @settings)
            $added += $rule.name
        }
    } catch {
        if ($added.Count -gt 0) { Remove-NetFirewallRule -Name $added -ErrorAction Continue }
        foreach ($rule in $Change.keep) { Set-NetFirewallRule -Name $rule.name -Description $rule.was -ErrorAction Continue }
        throw
    }
    # Only now, so that no port that stays open is shut in between.
    if ($Change.remove.Count -gt 0) { Remove-NetFirewallRule -Name @($Change.remove) }
    foreach ($rule in @($Change.keep) + @($Change.add)) {
        if ($rule) { Set-NetFirewallRule -Name $rule.name -Description $rule.sealed }
    }
}

$profiles = @(Get-NetFirewallProfile -PolicyStore ActiveStore | ForEach-Object -Process {
        [pscustomobject]@{
                name       = [string]$_.Name
                enabled    = [string]$_.Enabled
                inbound    = [string]$_.AllowInboundRules
                outbound   = [string]$_.DefaultOutboundAction
                localRules = [string]$_.AllowLocalFirewallRules
        }
    })
$drops = @($profiles | Where-Object -FilterScript { $_.outbound -eq 'Block' }).Count -gt 0
$local = @('Local', 'None')
$rules = @(Read-Rule 'PersistentStore' $local $drops)
if ($want.expect) {
    if ((Get-Digest $rules) -ne $want.expect) { exit 75 }
    Edit-Rule $want
    $rules = @(Read-Rule 'PersistentStore' $local $drops)
}
$networks = @(Get-NetConnectionProfile -ErrorAction SilentlyContinue | ForEach-Object -Process { [string]$_.NetworkCategory })
$answer = [pscustomobject]@{
        login    = [string]$env:SSH_CONNECTION
        digest   = Get-Digest $rules
        networks = $networks
        profiles = $profiles
        rules    = $rules
        policy   = @(Read-Rule 'ActiveStore' @('GroupPolicy', 'MDM') $drops)
}
[Console]::Out.WriteLine((ConvertTo-Ascii $answer))
