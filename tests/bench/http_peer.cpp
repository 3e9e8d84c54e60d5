// The server that bench `http` compares with: RESTinio, the fastest C++ one in Debian, with one thread. Answers every
// request with the bytes of a file.   http_peer PORT FILE
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include <restinio/all.hpp>

namespace {

struct traits : restinio::default_single_thread_traits_t {
  using logger_t = restinio::null_logger_t;
};

} // namespace

int main(int argc, char** argv) {
  if (argc != 3)
    return 2;
  std::ifstream in(argv[2], std::ios::binary);
  const auto body =
    std::make_shared<const std::string>(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  restinio::run(restinio::on_this_thread<traits>()
                  .address("127.0.0.1")
                  .port(static_cast<std::uint16_t>(std::atoi(argv[1])))
                  .max_pipelined_requests(4)
                  .socket_options_setter([](auto& options) { options.set_option(asio::ip::tcp::no_delay(true)); })
                  .request_handler([body](auto request) {
                    return request->create_response()
                      .append_header(restinio::http_field::content_type, "application/json")
                      .set_body(body)
                      .done();
                  }));
}
