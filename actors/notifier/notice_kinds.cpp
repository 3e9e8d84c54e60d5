#include "actors/notifier/notice_kinds.hpp"

#include <algorithm>

#include "messages/subjects.hpp"

namespace keyportal {

namespace {

using namespace std::chrono_literals;
using who = notice_audience;
using weighs = notice_weight;

constexpr auto month = std::chrono::seconds{24h * 30};

// clang-format off
constexpr notice_kind table[] = {
  // --- of keys, to their owners ---
  {"key.expiring", "key.expiring", "", who::owner, weighs::warning, 0s, "", "my-keys",
   {"密钥还有 {days} 天到期", "您的密钥「{key}」将于 {expires_at} 到期。\n到期后它不再可用。需要继续使用,请先续期。", "续期"},
   {"Your key expires in {days} days", "Your key \"{key}\" expires on {expires_at}.\nIt stops working then. Renew it if you still need it.", "Renew it"}},
  {"key.expired", "key.expired", "", who::owner, weighs::warning, 0s, "", "my-keys",
   {"密钥已到期", "您的密钥「{key}」已到期,不再可用。\n需要继续使用,请领取一个新的密钥。", "领取新密钥"},
   {"Your key has expired", "Your key \"{key}\" has expired and no longer works.\nTake a new one if you still need one.", "Take a new key"}},
  {"key.renewed", "key.renewed", "", who::owner, weighs::news, 0s, "", "my-keys",
   {"密钥已续期", "您的密钥「{key}」已续期。\n新的到期时间:{expires_at}\n说明:{reason}", "查看"},
   {"Your key was renewed", "Your key \"{key}\" was renewed.\nIt now expires on {expires_at}.\nWhy: {reason}", "Look at it"}},
  {"key.renewal_refused", "key.renewal_refused", "", who::owner, weighs::warning, 0s, "", "my-keys",
   {"续期申请未通过", "您为密钥「{key}」提出的续期申请未通过。\n说明:{reason}\n到期时间:{expires_at}", "查看"},
   {"Your key was not renewed", "An admin refused what you asked for your key \"{key}\".\nWhy: {reason}\nIt expires on {expires_at}.", "Look at it"}},
  {"key.rotated", "key.rotated", "", who::owner, weighs::warning, month, "", "my-keys",
   {"密钥已更换", "您的密钥「{key}」已被新的密钥替换。\n旧密钥可用到:{retires_at}\n请在此之前改用新密钥。", "查看"},
   {"Your key was replaced", "A new key took the place of your key \"{key}\".\nThe old one works until {retires_at}.\nChange to the new one before then.", "Look at it"}},
  {"key.revoked", "key.revoked", "", who::owner, weighs::warning, month, "", "my-keys",
   {"密钥已吊销", "您的密钥「{key}」已被吊销,不再可用。\n如有疑问,请联系管理员。", "查看"},
   {"Your key was revoked", "Your key \"{key}\" was revoked and no longer works.\nAsk an admin if you did not expect this.", "Look at it"}},
  {"key.suspended_by_budget", "key.suspended", "why=budget", who::owner, weighs::warning, 0s, "", "my-keys",
   {"密钥因用量超限已暂停", "您的密钥「{key}」的用量已达上限,暂时停用。\n新的周期开始或上限提高后会自动恢复。", "查看用量"},
   {"Your key is suspended: its budget is used up", "Your key \"{key}\" has used up its budget and does not work for now.\nIt comes back by itself when the next period begins or the budget is raised.", "See its usage"}},
  {"key.suspended", "key.suspended", "why=admin", who::owner, weighs::warning, 0s, "", "my-keys",
   {"密钥已被管理员暂停", "您的密钥「{key}」已被管理员暂停使用。\n如有疑问,请联系管理员。", "查看"},
   {"Your key was suspended", "An admin suspended your key \"{key}\". It does not work for now.\nAsk an admin if you did not expect this.", "Look at it"}},
  {"key.resumed", "key.resumed", "", who::owner, weighs::news, 0s, "", "my-keys",
   {"密钥已恢复", "您的密钥「{key}」已恢复使用。", "查看"},
   {"Your key works again", "Your key \"{key}\" is no longer suspended.", "Look at it"}},
  {"key.budget", "key.budget", "", who::owner, weighs::warning, 0s, "", "my-keys",
   {"密钥用量已达 {percent}%", "您的密钥「{key}」在本周期({window})内的用量({unit})已达上限 {amount} 的 {percent}%。", "查看用量"},
   {"{percent} % of your key's budget is used", "Your key \"{key}\" has used {percent} % of its budget of {amount} {unit} per {window}.", "See its usage"}},
  {"person.budget", "user.budget", "", who::owner, weighs::warning, 0s, "", "my-keys",
   {"您的用量已达 {percent}%", "您的全部密钥在本周期({window})内的用量({unit})已达上限 {amount} 的 {percent}%。", "查看用量"},
   {"{percent} % of your budget is used", "Your keys together have used {percent} % of your budget of {amount} {unit} per {window}.", "See your usage"}},
  // --- of people ---
  {"registration.approved", "user.approved", "", who::owner, weighs::news, 0s, "", "login",
   {"注册申请已通过", "{person},您的注册申请已通过,现在可以登录。\n说明:{reason}", "登录"},
   {"You may sign in now", "{person}, an admin approved your registration.\nWhat he said: {reason}", "Sign in"}},
  {"registration.refused", "user.refused", "", who::owner, weighs::news, 0s, "", "",
   {"注册申请未通过", "{person},您的注册申请未通过。\n说明:{reason}", ""},
   {"Your registration was refused", "{person}, an admin refused your registration.\nWhat he said: {reason}", ""}},
  // --- to the admins: what they have to decide ---
  {"registration.waits", "user.registered", "state=pending", who::admins, weighs::warning, 0s, "", "admin/users?state=pending",
   {"有新的注册申请", "{person}({email})申请注册,等待您批准。\n理由:{reason}", "处理"},
   {"Somebody asks to be let in", "{person} ({email}) registered and waits for your approval.\nWhy: {reason}", "Decide"}},
  {"key.renewal_asked", "key.renewal_asked", "", who::admins, weighs::warning, 0s, "", "admin/keys?waiting=renewal",
   {"有新的续期申请", "{person}({email})申请续期密钥「{key}」。\n理由:{reason}\n到期时间:{expires_at}", "处理"},
   {"Somebody asks for a renewal", "{person} ({email}) asks that the key \"{key}\" ends later.\nWhy: {reason}\nIt expires on {expires_at}.", "Decide"}},
  {"key.taken_away", "key.suspended", "why=by_hand", who::admins, weighs::warning, 0s, "", "admin/keys?waiting=choice",
   {"节点上的密钥被手工删除", "{person}({email})的密钥「{key}」在节点上被删除,已暂停。请选择恢复或吊销。", "处理"},
   {"A key was removed at a node by hand", "The key \"{key}\" of {person} ({email}) was removed at a node, so it is suspended.\nResume or revoke it.", "Decide"}},
  {"key.found", "key.found", "", who::admins, weighs::news, 0s, "", "admin/keys?state=external",
   {"节点上发现外部密钥", "节点 {node} 上发现一个不是由本系统发放的密钥 {shown}。", "处理"},
   {"A foreign key was found", "The key {shown} works at a node and was not made here.\nNode: {node}", "Decide"}},
  {"group.budget", "policy.budget", "", who::admins, weighs::warning, 0s, "", "admin/policies",
   {"用户组 {about} 用量已达 {percent}%", "用户组 {about} 在本周期({window})内的用量({unit})已达上限 {amount} 的 {percent}%。", "查看"},
   {"{percent} % of the budget of {about} is used", "The group {about} has used {percent} % of its budget of {amount} {unit} per {window}.", "See its usage"}},
  {"pool.low", "key.low", "", who::admins, weighs::warning, 6h, "", "admin/keys?state=pooled",
   {"密钥池余量不足", "密钥池只剩 {pooled} 个密钥,低于 {low_water}。", "补充"},
   {"Few keys are left in the pool", "{pooled} keys are left in the pool, fewer than {low_water}.", "Fill it"}},
  // --- of upstream accounts ---
  {"account.contributed", "account.contributed", "", who::owner, weighs::news, 0s, "", "accounts",
   {"感谢您贡献账号", "{person},您的 {provider} 账号「{account}」已加入节点 {node} 的共享池。谢谢!", "查看"},
   {"Thank you for your account", "{person}, your {provider} account \"{account}\" has joined the others at {node}. Thank you!", "Look at it"}},
  {"account.expiring", "account.login_due", "", who::owner_and_admins, weighs::warning, 0s, "", "accounts",
   {"账号即将过期", "{provider} 账号「{account}」(节点 {node})将于 {token_ends} 失效,请在此之前重新登录。", "重新登录"},
   {"An account ends soon", "The {provider} account \"{account}\" at {node} ends on {token_ends}.\nSign in with it again before then.", "Sign in again"}},
  {"account.failing", "account.login_needed", "", who::owner_and_admins, weighs::warning, 6h, "", "accounts",
   {"账号需要重新登录", "{provider} 账号「{account}」(节点 {node})已不能使用,请重新登录。\n原因:{words}", "重新登录"},
   {"An account needs a fresh login", "The {provider} account \"{account}\" at {node} no longer works. Sign in with it again.\nWhy: {words}", "Sign in again"}},
  {"account.refused", "node.account_failed", "", who::admins, weighs::warning, 6h, "", "accounts",
   {"账号被上游拒绝", "节点 {node} 的 {provider} 账号 {auth_index} 被上游拒绝(状态 {status_code},{code})。\n模型:{model}", "查看"},
   {"An upstream refused an account", "At {node} the {provider} account {auth_index} was refused (status {status_code}, {code}).\nModel: {model}", "Look at it"}},
  {"account.cooling_down", "account.limited", "condition=resting", who::admins, weighs::news, 1h, "", "accounts",
   {"账号冷却中", "{provider} 账号「{account}」(节点 {node})暂停使用到 {until}。", "查看"},
   {"An account cools down", "The {provider} account \"{account}\" at {node} is not used until {until}.", "Look at it"}},
  {"account.rested", "account.limited", "condition!=resting", who::admins, weighs::news, 0s, "account.cooling_down", "accounts",
   {"账号冷却结束", "{provider} 账号「{account}」(节点 {node})可以继续使用。", "查看"},
   {"An account has cooled down", "The {provider} account \"{account}\" at {node} is used again.", "Look at it"}},
  {"account.back", "account.recovered", "", who::owner_and_admins, weighs::news, 0s, "account.failing", "accounts",
   {"账号已恢复", "{provider} 账号「{account}」(节点 {node})已恢复使用。", "查看"},
   {"An account works again", "The {provider} account \"{account}\" at {node} works again.", "Look at it"}},
  {"account.removed", "account.removed", "", who::owner_and_admins, weighs::warning, 0s, "", "accounts",
   {"账号已被移除", "{provider} 账号「{account}」已不在节点 {node} 上。", "查看"},
   {"An account is gone", "The {provider} account \"{account}\" is not at {node} any more.", "Look at it"}},
  {"account.quota", "account.quota", "", who::admins, weighs::warning, 0s, "", "accounts",
   {"账号额度已用 {percent}%", "{provider} 账号「{account}」的额度窗口({window})已用 {percent}%。\n重置时间:{begins_anew}", "查看"},
   {"{percent} % of an account's quota is used", "The {provider} account \"{account}\" has used {percent} % of its window {window}.\nIt begins anew on {begins_anew}.", "Look at it"}},
  // --- of nodes ---
  {"node.down", "node.down", "", who::admins, weighs::alarm, 10min, "", "nodes",
   {"节点 {node} 无响应", "节点 {node} 自 {since} 起无响应。", "查看"},
   {"Node {node} is down", "The node {node} has not answered since {since}.", "Look at it"}},
  {"node.up", "node.up", "", who::admins, weighs::news, 0s, "node.down", "nodes",
   {"节点 {node} 已恢复", "节点 {node} 恢复响应。", "查看"},
   {"Node {node} answers again", "The node {node} answers again.", "Look at it"}},
  {"node.restarted", "node.restarted", "", who::admins, weighs::warning, 0s, "", "nodes",
   {"节点 {node} 已重启", "节点 {node} 重启(第 {number} 次),正在恢复统计数据。", "查看"},
   {"Node {node} restarted", "The node {node} restarted (number {number}). Its statistics are put back.", "Look at it"}},
  {"node.restored", "node.restored", "", who::admins, weighs::news, 0s, "", "nodes",
   {"节点 {node} 统计已恢复", "节点 {node} 第 {number} 次重启后的统计数据已全部恢复。", "查看"},
   {"Node {node} has its statistics back", "After restart {number} the node {node} holds all that was recorded.", "Look at it"}},
  {"node.gap", "node.gap", "", who::admins, weighs::warning, 0s, "", "nodes",
   {"节点 {node} 有记录空缺", "节点 {node} 在 {from} 到 {to} 之间可能缺少 {expected_records} 条记录。\n原因:{reason}", "查看"},
   {"A gap at node {node}", "Between {from} and {to} about {expected_records} records of {node} may be missing.\nWhy: {reason}", "Look at it"}},
  {"node.incomplete", "node.incomplete", "closed_at=;starved!=true", who::admins, weighs::warning, 0s, "", "nodes",
   {"节点 {node} 记录不完整", "节点 {node} 的计数与收到的记录不一致,缺少 {missing} 条。\n账号:{credential}", "查看"},
   {"Records of node {node} are missing", "The node {node} counted {missing} requests that never arrived here.\nAccount: {credential}", "Look at it"}},
  {"node.another_collector", "node.incomplete", "closed_at=;starved=true", who::admins, weighs::alarm, 6h, "", "nodes",
   {"另一个程序在取走节点 {node} 的记录", "节点 {node} 的用量记录被另一个程序取走,缺少 {missing} 条。请停掉它,或让它改用本系统的兼容接口。", "查看"},
   {"Another collector takes the records of {node}", "{missing} records of {node} were taken by another program.\nStop it, or let it read from the compatibility listener.", "Look at it"}},
  {"node.drift", "node.drift", "drift=true", who::admins, weighs::warning, 1h, "", "nodes",
   {"节点 {node} 的密钥不一致", "节点 {node} 上的密钥与登记的不一致。\n原因:{problem}", "查看"},
   {"The keys at node {node} are not as they should be", "The keys at {node} differ from those registered.\nWhy: {problem}", "Look at it"}},
  {"node.drift_over", "node.drift", "drift=false", who::admins, weighs::news, 0s, "node.drift", "nodes",
   {"节点 {node} 的密钥已一致", "节点 {node} 上的密钥恢复一致。", "查看"},
   {"The keys at node {node} are right again", "The keys at {node} are what they should be again.", "Look at it"}},
  {"node.open_access", "node.open_access", "open=true", who::admins, weighs::alarm, 1h, "", "nodes",
   {"节点 {node} 不验证密钥", "节点 {node} 正在接受没有密钥的请求。请立即检查它的配置。", "查看"},
   {"Node {node} lets in anybody", "The node {node} answers requests without a key. Look at its configuration now.", "Look at it"}},
  {"node.open_access_over", "node.open_access", "open=false", who::admins, weighs::news, 0s, "node.open_access", "nodes",
   {"节点 {node} 恢复验证密钥", "节点 {node} 已重新拒绝没有密钥的请求。", "查看"},
   {"Node {node} asks for keys again", "The node {node} refuses requests without a key again.", "Look at it"}},
  // --- of what is kept ---
  {"store.disk", "store.alarm", "state!=fine", who::admins, weighs::alarm, 6h, "", "admin/settings",
   {"数据目录空间告急", "数据目录已用 {bytes} 字节,上限 {limit} 字节。", "查看"},
   {"The data folder is nearly full", "The data folder has {bytes} bytes of at most {limit}.", "Look at it"}},
  {"store.disk_over", "store.alarm", "state=fine", who::admins, weighs::news, 0s, "store.disk", "admin/settings",
   {"数据目录空间恢复", "数据目录空间已恢复到上限以下。", "查看"},
   {"The data folder has room again", "The data folder is well below its limit again.", "Look at it"}},
  {"backup.failed", "store.failed", "", who::admins, weighs::alarm, 6h, "", "admin/settings",
   {"备份失败", "备份未能完成({doing})。\n原因:{problem}", "查看"},
   {"A backup failed", "The backup could not be finished ({doing}).\nWhy: {problem}", "Look at it"}},
  {"backup.works", "store.made", "", who::admins, weighs::news, 0s, "backup.failed", "admin/settings",
   {"备份恢复正常", "已完成新的备份 {backup}。", "查看"},
   {"Backups work again", "The backup {backup} was made.", "Look at it"}},
  {"store.recovered", "store.recovered", "", who::admins, weighs::warning, 0s, "", "admin/settings",
   {"数据已从备份恢复", "数据目录来自备份 {backup},其后的记录会重新取回或标记为缺失。", "查看"},
   {"The data came out of a backup", "The data folder came out of backup {backup}. What came after it comes again, or is told as missing.", "Look at it"}},
  {"certificate.expiring", "", "", who::admins, weighs::warning, month, "", "",
   {"TLS 证书还有 {days} 天到期", "本系统的 TLS 证书将于 {expires_at} 到期。请更换证书文件,更换后自动生效。", ""},
   {"The TLS certificate ends in {days} days", "The certificate of this service ends on {expires_at}.\nPut a new file in its place; it is taken by itself.", ""}},
  {"channel.failing", "", "", who::admins, weighs::alarm, 6h, "", "admin/notices",
   {"通知通道 {channel} 无法送达", "通知通道 {channel} 无法送达,通知会等待它恢复。\n原因:{problem}", "查看"},
   {"The channel {channel} delivers nothing", "Notices by the channel {channel} do not get through; they wait until it works again.\nWhy: {problem}", "Look at it"}},
  // --- by hand, tests, codes ---
  {"reminder.account", "", "", who::asked, weighs::warning, 0s, "", "accounts?contribute=1",
   {"请贡献一个账号", "{person},共享账号不够用了,请登录一个账号加入共享池。\n{text}", "登录账号"},
   {"Please contribute an account", "{person}, the shared accounts are running short. Please sign one in.\n{text}", "Sign one in"}},
  {"reminder.renew", "", "", who::asked, weighs::warning, 0s, "", "my-keys",
   {"请续期", "{person},请续期您的账号或密钥。\n{text}", "续期"},
   {"Please renew", "{person}, please renew your account or your keys.\n{text}", "Renew"}},
  {"test", "", "", who::asked, weighs::alarm, 0s, "", "",
   {"测试通知", "这是一条测试通知,发自通道 {channel}。", ""},
   {"A test", "This is a test of the channel {channel}.", ""}},
  {"digest", "", "", who::asked, weighs::news, 0s, "", "",
   {"{count} 条通知", "{list}", ""},
   {"{count} notices", "{list}", ""}},
  {"code.password", "", "", who::asked, weighs::alarm, 0s, "", "",
   {"重置密码的验证码", "您的验证码:{code}\n它在十分钟内有效。如果不是您本人操作,请忽略这封邮件。", ""},
   {"Your code for a new password", "Your code: {code}\nIt is good for ten minutes. If you did not ask for it, do nothing.", ""}},
  {"code.address", "", "", who::asked, weighs::alarm, 0s, "", "",
   {"注册验证码", "您的验证码:{code}\n它在十分钟内有效。如果不是您本人操作,请忽略这封邮件。", ""},
   {"Your code to register", "Your code: {code}\nIt is good for ten minutes. If you did not ask for it, do nothing.", ""}},
};
// clang-format on

} // namespace

std::span<const notice_kind> notice_kinds() { return table; }

const notice_kind* find_kind(std::string_view name) {
  const auto* const found =
    std::find_if(std::begin(table), std::end(table), [&](const auto& k) { return k.name == name; });
  return found == std::end(table) ? nullptr : found;
}

std::string event_name(event_kind kind) {
  auto type = subjects::type_of(kind); // "io.keyportal.key.expiring.v1", of nodes "io.keyportal.down.v1"
  constexpr std::string_view before = "io.keyportal.", after = ".v1";
  if (!type.starts_with(before) || !type.ends_with(after))
    return {};
  type = type.substr(before.size(), type.size() - before.size() - after.size());
  return type.find('.') == std::string::npos ? "node." + type : type;
}

} // namespace keyportal
