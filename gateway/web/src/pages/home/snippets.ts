// Settings of the usual clients, ready to be copied. No text of the page's languages is in them.
export const clients = [
  { key: 'claude-code', title: 'Claude Code', model: 'claude-sonnet-4-5' },
  { key: 'codex', title: 'Codex CLI', model: 'gpt-5-codex' },
  { key: 'gemini', title: 'Gemini CLI', model: 'gemini-2.5-pro' },
  { key: 'opencode', title: 'OpenCode', model: 'gpt-5' },
  { key: 'cursor', title: 'Cursor', model: 'gpt-5' },
  { key: 'cline', title: 'Cline', model: 'claude-sonnet-4-5' },
  { key: 'openai', title: 'OpenAI SDK', model: 'gpt-5' },
  { key: 'anthropic', title: 'Anthropic SDK', model: 'claude-sonnet-4-5' },
  { key: 'curl', title: 'curl', model: 'gpt-5' },
] as const;
export type ClientName = (typeof clients)[number]['key'];
export const systems = ['unix', 'windows'] as const;
export type SystemName = (typeof systems)[number];

export interface Snippet {
  kind: 'file' | 'shell' | 'settings';
  /// Where it goes: a file, the shell, a place in the settings.
  place: string;
  text: string;
}
interface Given { base: string; key: string; model: string }

/// How a shell sets variables for good and for now.
function shell(system: SystemName, variables: Record<string, string>): Snippet {
  const lines = Object.entries(variables);
  return system === 'unix'
    ? { kind: 'shell', place: '~/.bashrc, ~/.zshrc', text: lines.map(([name, value]) => `export ${name}=${quoted(value)}`).join('\n') }
    : { kind: 'shell', place: 'PowerShell', text: lines.map(([name, value]) => `[Environment]::SetEnvironmentVariable("${name}", '${value.replace(/'/g, "''")}', "User")`).join('\n') };
}
function quoted(value: string): string {
  return `'${value.replace(/'/g, `'\\''`)}'`;
}
const json = (value: unknown): string => JSON.stringify(value, null, 2);

export function snippetsOf(client: ClientName, given: Given, system: SystemName): Snippet[] {
  const model = given.model || clients.find((one) => one.key === client)!.model;
  const { base, key } = given;
  const home = system === 'unix' ? '~/' : '%USERPROFILE%\\';
  const path = (...parts: string[]): string => home + parts.join(system === 'unix' ? '/' : '\\');
  switch (client) {
    case 'claude-code':
      return [
        { kind: 'file', place: path('.claude', 'settings.json'), text: json({ env: { ANTHROPIC_BASE_URL: base, ANTHROPIC_AUTH_TOKEN: key, ...(given.model ? { ANTHROPIC_MODEL: model } : {}) } }) },
        shell(system, { ANTHROPIC_BASE_URL: base, ANTHROPIC_AUTH_TOKEN: key }),
      ];
    case 'codex':
      return [
        { kind: 'file', place: path('.codex', 'config.toml'), text: [`model = "${model}"`, 'model_provider = "team"', '', '[model_providers.team]', 'name = "Team"', `base_url = "${base}/v1"`, 'env_key = "TEAM_API_KEY"', 'wire_api = "responses"'].join('\n') },
        shell(system, { TEAM_API_KEY: key }),
      ];
    case 'gemini':
      return [shell(system, { GOOGLE_GEMINI_BASE_URL: base, GEMINI_API_KEY: key, GEMINI_MODEL: model })];
    case 'opencode':
      return [
        { kind: 'file', place: path('.config', 'opencode', 'opencode.json'), text: json({ $schema: 'https://opencode.ai/config.json', provider: { team: { npm: '@ai-sdk/openai-compatible', name: 'Team', options: { baseURL: `${base}/v1`, apiKey: '{env:TEAM_API_KEY}' }, models: { [model]: {} } } }, model: `team/${model}` }) },
        shell(system, { TEAM_API_KEY: key }),
      ];
    case 'cursor':
      return [{ kind: 'settings', place: 'Cursor Settings → Models → OpenAI API Key', text: `OpenAI API Key: ${key}\nOverride OpenAI Base URL: ${base}/v1\nModel: ${model}` }];
    case 'cline':
      return [{ kind: 'settings', place: 'Cline → Settings → API Provider: OpenAI Compatible', text: `Base URL: ${base}/v1\nAPI Key: ${key}\nModel ID: ${model}` }];
    case 'openai':
      return [
        shell(system, { OPENAI_BASE_URL: `${base}/v1`, OPENAI_API_KEY: key }),
        { kind: 'file', place: 'try.py', text: ['from openai import OpenAI', '', 'client = OpenAI()  # OPENAI_BASE_URL, OPENAI_API_KEY', 'answer = client.chat.completions.create(', `    model="${model}",`, '    messages=[{"role": "user", "content": "Hello"}],', ')', 'print(answer.choices[0].message.content)'].join('\n') },
      ];
    case 'anthropic':
      return [
        shell(system, { ANTHROPIC_BASE_URL: base, ANTHROPIC_API_KEY: key }),
        { kind: 'file', place: 'try.py', text: ['from anthropic import Anthropic', '', 'client = Anthropic()  # ANTHROPIC_BASE_URL, ANTHROPIC_API_KEY', 'answer = client.messages.create(', `    model="${model}", max_tokens=200,`, '    messages=[{"role": "user", "content": "Hello"}],', ')', 'print(answer.content[0].text)'].join('\n') },
      ];
    default: {
      const body = JSON.stringify({ model, messages: [{ role: 'user', content: 'Hello' }] });
      return system === 'unix'
        ? [{ kind: 'shell', place: 'curl', text: `curl ${base}/v1/chat/completions \\\n  -H ${quoted(`Authorization: Bearer ${key}`)} \\\n  -H 'Content-Type: application/json' \\\n  -d ${quoted(body)}` }]
        : [{ kind: 'shell', place: 'PowerShell', text: `Invoke-RestMethod -Method Post -Uri '${base}/v1/chat/completions' \`\n  -Headers @{ Authorization = 'Bearer ${key}' } \`\n  -ContentType 'application/json' -Body '${body}'` }];
    }
  }
}
