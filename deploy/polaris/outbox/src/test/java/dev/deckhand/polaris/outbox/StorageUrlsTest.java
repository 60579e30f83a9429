package dev.deckhand.polaris.outbox;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** No login in the URLs that leave the server, whatever characters a password has. */
class StorageUrlsTest {
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "https://s3.example:9000/path | https://s3.example:9000/path",
        "http://[::1]:9000 | http://[::1]:9000",
        "https://s3.größe.example | https://s3.größe.example",
        "localhost:9000 | localhost:9000",
        "https://key:hunter2@s3.example:9000/path | https://s3.example:9000/path",
        "https://key:hun@ter2@s3.example | https://s3.example",
        "https://key:hun%2Fter2@s3.example | https://s3.example",
        "https://key:hunter%@s3.example | https://s3.example",
        "https://hunter2@s3.example | https://s3.example",
        "https://@s3.example | https://s3.example",
        "key:hunter2@s3.example:9000/path | s3.example:9000/path",
        "https://key:hunter2@s3.example/path?sig=hunter2#hunter2 | https://s3.example/path",
        "https://s3.example?sig=hunter2 | https://s3.example",
      })
  void ofAnEndpointTheHostAndPathAreLeft(String endpoint, String left) {
    assertThat(StorageUrls.endpoint(endpoint)).isEqualTo(left);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "https://key:hun/ter2@s3.example",
        "https://key:hun//ter2@s3.example/path",
        "https://key:8020/hunter2@s3.example",
        "https://key:hun?ter2@s3.example",
        "https://key:hun#ter2@s3.example",
        "https://key:hun\\ter2@s3.example",
        "https://key:hun/t@er2@s3.example",
        "https://key:hun@t/er2@s3.example",
        "https://key:hun%2/ter2@s3.example",
        "key:hun//ter2@s3.example",
        "https:/key:hunter2@s3.example",
        "https:///key:hunter2@s3.example",
        "https://key:hunter2",
        "https://key:hunter2/path",
        "https://hun ter2",
        "https://s3.example/path?sig=hun@ter2",
        "https://",
        "",
      })
  void anEndpointWhoseLoginCannotBeToldIsLeftOut(String endpoint) {
    assertThat(StorageUrls.endpoint(endpoint)).isNull();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "s3://key:hunter2@bucket/t",
        "s3a://key:hun/ter2@bucket/t",
        "s3://key:hun@ter2@bucket/t",
        "s3n://key:hun%2Fter2@bucket/t",
        "s3://key:8020/ter2@bucket/t",
        "s3://hunter2@bucket/t",
        "gs://key:hunter2@bucket",
        "hdfs://bob:hunter2@name.node:8020/t",
        "hdfs://bob:hun/ter2@name.node:8020/t",
        "hdfs://bob:hun?ter2@name.node/t",
        "https://bob:hunter2@host/t",
        "abfss://lake:hunter2@account.dfs.core.windows.net/t",
        "abfss://lake@account:hunter2@dfs.core.windows.net/t",
        "key:hunter2@bucket/t",
        "key:hun/ter2@bucket/t",
        "file://bob:hunter2@host/t",
      })
  void aLocationThatMayHoldALoginIsFound(String location) {
    assertThat(StorageUrls.mayHoldLogin(location)).isTrue();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "s3://bucket/sales/t",
        "s3://bucket/sales/a@b:c/t",
        "s3a://bucket.with.dots/sales%2Ft",
        "s3://arn:aws:s3:us-west-2:123456789012:accesspoint/lake/t",
        "gs://bucket_1/t?x=1",
        "hdfs://name.node:8020/t/a@b",
        "hdfs://one:8020,two:8020/t",
        "abfss://lake@account.dfs.core.windows.net/t/a@b",
        "wasb://lake@account.blob.core.windows.net/t",
        "file:///tmp/a@b:c",
        "file:/tmp/a@b",
        "/tmp/a:b@c",
        "s3:/bucket/a@b",
      })
  void anyOtherLocationIsNot(String location) {
    assertThat(StorageUrls.mayHoldLogin(location)).isFalse();
  }
}
