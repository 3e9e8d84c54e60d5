// The words of the page of documentation in both languages. What the document itself says is English in both.

const words = {
  en: {
    skip: "Skip to the contents", title: "API", loading: "Reading the document…", failed: "The document cannot be read: {why}",
    other: "中文", other_label: "切换到中文", search: "Search operations", nothing: "No operation has “{text}” in it.",
    language_note: "", start: "First steps", errors: "Errors", frames: "WebSocket frames",
    token: "control token", token_hint: "Needs Authorization: Bearer with the control token", open: "open", open_hint: "Anyone who reaches the address may ask",
    parameters: "Parameters", name: "Name", where: "In", type: "Type", meaning: "Meaning",
    in_path: "path", in_query: "query", in_header: "header", required: "required", optional: "not always",
    body: "Body", body_optional: "may be left out", example: "Example", answers: "Answers", own_errors: "Errors of its own",
    command: "On the command line", copy: "Copy", copied: "Copied", fields: "Fields", headers: "Headers",
    one_of: "one of", list_of: "list of", or: "or", from_to: "{from} to {to}", at_least: "at least {from}", at_most: "at most {to}",
    at_most_items: "at most {to} entries", at_most_letters: "at most {to} characters", by_default: "default {value}", code: "Code", status: "Status", no_fields: "an object without fields",
    any: "any", try_errors: "The following can come from every operation.",
  },
  zh: {
    skip: "跳到正文", title: "接口文档", loading: "正在读取文档……", failed: "无法读取文档：{why}",
    other: "English", other_label: "Switch to English", search: "搜索接口", nothing: "没有接口包含“{text}”。",
    language_note: "接口说明来自 openapi.yaml，以英文书写。", start: "入门", errors: "错误码", frames: "WebSocket 消息",
    token: "需要控制令牌", token_hint: "需要 Authorization: Bearer 与控制令牌", open: "公开", open_hint: "能访问该地址的人都可以调用",
    parameters: "参数", name: "名称", where: "位置", type: "类型", meaning: "说明",
    in_path: "路径", in_query: "查询", in_header: "请求头", required: "必填", optional: "可能没有",
    body: "请求体", body_optional: "可以省略", example: "示例", answers: "响应", own_errors: "该接口特有的错误",
    command: "命令行调用", copy: "复制", copied: "已复制", fields: "字段", headers: "响应头",
    one_of: "以下之一", list_of: "列表：", or: "或", from_to: "{from} 至 {to}", at_least: "至少 {from}", at_most: "至多 {to}",
    at_most_items: "至多 {to} 项", at_most_letters: "至多 {to} 个字符", by_default: "默认 {value}", code: "错误码", status: "状态", no_fields: "没有字段的对象",
    any: "任意", "tag live": "实时", "tag nodes": "节点", "tag snapshots": "快照", "tag usage": "用量", "tag exports": "导出", "tag people": "人员",
    "tag keys": "密钥", "tag policies": "策略", "tag audit": "审计", "tag prices": "价格", "tag dead letters": "死信", "tag moving in": "迁入",
    "tag backups": "备份", "tag operation": "运维", try_errors: "以下错误每个接口都可能返回。",
  },
};

/// The words of that name in that language, with {places} filled in.
export function words_of(language) {
  return (name, places = {}) =>
    (words[language][name] ?? words.en[name] ?? name.replace(/^tag /, "")).replace(/\{(\w+)\}/g, (_, place) => String(places[place] ?? ""));
}
