// A key that a person wants to see in the instructions: in the memory of this page only, gone when it is loaded anew.
let text = '';

export function rememberKey(key: string): void {
  text = key;
}
export function rememberedKey(): string {
  return text;
}
