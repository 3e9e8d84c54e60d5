// The NATS client's C handles with owners, and its status codes as errors.
#pragma once

#include <memory>
#include <string_view>

#include <nats/nats.h>

#include "messages/errors.hpp"

namespace keyportal::nats {

template <auto Destroy>
struct destroyed_by {
  template <class Handle>
  void operator()(Handle* handle) const noexcept {
    Destroy(handle);
  }
};
template <class Handle, auto Destroy>
using owned = std::unique_ptr<Handle, destroyed_by<Destroy>>;

using client_options = owned<natsOptions, natsOptions_Destroy>;
using connection = owned<natsConnection, natsConnection_Destroy>;
using subscription = owned<natsSubscription, natsSubscription_Destroy>;
using raw_message = owned<natsMsg, natsMsg_Destroy>;
using context = owned<jsCtx, jsCtx_Destroy>;
using stream_info = owned<jsStreamInfo, jsStreamInfo_Destroy>;
using metadata = owned<jsMsgMetaData, jsMsgMetaData_Destroy>;

/// For the C calls that hand out a handle through a pointer: `status = call(out(handle), …)`. The owner has it when
/// the statement ends, not before: never use it further on in the same expression.
template <class Owned>
class out {
public:
  explicit out(Owned& target) : target_(target) {}
  ~out() { target_.reset(handle_); }
  out(const out&) = delete;
  out& operator=(const out&) = delete;
  operator typename Owned::pointer *() { return &handle_; } // the conversion is the whole purpose

private:
  Owned& target_;
  typename Owned::pointer handle_ = nullptr;
};

/// What a status means: `nats_refused` where the server said no, else `nats_unavailable`; no error for NATS_OK.
/// `doing` says what was tried; it and the error hold no secret.
caf::error to_error(natsStatus status, std::string_view doing);

} // namespace keyportal::nats
