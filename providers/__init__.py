"""The provider plugins that come with awslogin, one file or package each."""
